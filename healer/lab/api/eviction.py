"""pods/eviction: a deletion that asks the PodDisruptionBudget first, with the real one's quirks."""

from aiohttp import web

from healer.lab.api.call import Call, answer
from healer.lab.api.failure import ApiError, not_found, success
from healer.lab.api.removal import remove
from healer.lab.api.resource import BY_PLURAL
from healer.lab.api.selector import match_labels
from healer.lab.api.termination import stamp
from healer.lab.api.value import dig, fields, items, labels, section
from healer.lab.api.write import is_dry
from healer.lab.contract import Object

_BUDGETS = "poddisruptionbudgets"
_TWO_BUDGETS = (
    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not "
    "support."
)


async def evict(call: Call) -> web.Response:
    """POST of an Eviction."""
    name = call.target.name
    options = fields(await call.options(), "deleteOptions")
    pod = call.store.get("pods", call.namespace, name)
    if pod is None:
        raise not_found(BY_PLURAL["pods"], name)
    if not _needs_no_budget(pod):
        _spend(call, pod, dry_run=is_dry(call, options))
    # The budget is spent by now; if the precondition fails it stays spent, as in the real server.
    remove(call, pod, options)
    return answer(success(code=201), code=201)


def _needs_no_budget(pod: Object) -> bool:
    ended = dig(pod, "status", "phase") in {"Succeeded", "Failed", "Pending"}
    return ended or bool(dig(pod, "metadata", "deletionTimestamp"))


def _spend(call: Call, pod: Object, *, dry_run: bool) -> None:
    budgets = [
        budget
        for budget in call.store.list(_BUDGETS, call.namespace)
        if match_labels(dig(budget, "spec", "selector"))(labels(pod))
    ]
    if not budgets:
        return
    if len(budgets) > 1:
        raise ApiError(500, "", _TWO_BUDGETS)
    if _is_free(budgets[0], pod):
        return
    name, at = pod["metadata"]["name"], stamp(call.store.now())
    _check(budgets[0])

    def write(budget: Object) -> None:
        status = section(budget, "status")
        status["disruptionsAllowed"] -= 1
        section(status, "disruptedPods")[name] = at

    meta = budgets[0]["metadata"]
    call.store.update(_BUDGETS, meta["namespace"], meta["name"], write, dry_run=dry_run)


def _is_free(budget: Object, pod: Object) -> bool:
    """A pod that is not ready may go without spending, if its budget's policy lets it."""
    conditions = items(pod, "status", "conditions")
    if any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions):
        return False
    if dig(budget, "spec", "unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = fields(budget, "status")
    desired = int(status.get("desiredHealthy") or 0)
    return desired > 0 and int(status.get("currentHealthy") or 0) >= desired


def _check(budget: Object) -> None:
    meta, status = budget["metadata"], fields(budget, "status")
    name = meta["name"]
    if int(status.get("observedGeneration") or 0) < int(meta.get("generation") or 0):
        why = f"The disruption budget {name} is still being processed by the server."
        raise _too_many(why, retry_after=10)
    if int(status.get("disruptionsAllowed") or 0) <= 0:
        why = (
            f"The disruption budget {name} needs {status.get('desiredHealthy', 0)} healthy pods "
            f"and has {status.get('currentHealthy', 0)} currently"
        )
        raise _too_many(why, retry_after=0)


def _too_many(why: str, *, retry_after: int) -> ApiError:
    message = "Cannot evict pod as it would violate the pod's disruption budget."
    details: Object = {"causes": [{"reason": "DisruptionBudget", "message": why}]}
    if retry_after:
        details["retryAfterSeconds"] = retry_after
    return ApiError(429, "TooManyRequests", message, details=details)
