"""inference.experts: what the routers say of their experts and of their classifier."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from healer.check.contract import CheckContext, Kinds
from healer.check.inference.server import hear, running_pods, server_permissions
from healer.check.kubernetes.subject import short
from healer.check.param import Params
from healer.client.inference import Inference
from healer.client.kubernetes.cluster import Kubernetes
from healer.errors import UnavailableError
from healer.model.effect import Permission
from healer.model.outcome import Finding

_WELL = "healthy"
_STATES = ("ready", "loading", "failed")
_NEVER = 1e9
"""Seconds; of a router that does not say when it tries again."""


class ExpertsParams(Params):
    """It needs none: every running router is asked."""


class Experts:
    """Holds where every router reaches every expert, and has its classifier.

    Evidence: experts (how many), reached (all of them, by every router that answers), away (names
    of those that are not), fallback_away (is
    the one among them that takes what nobody else does), complaint (of the first), classifier (the
    worst of ready, loading, failed), failed_classifiers (routers), classifier_complaint,
    next_try_seconds (until the last router without a classifier loads it again: 0 while it does, or
    where none lacks it), pods, silent (routers that do not answer).
    """

    name = "inference.experts"
    params = ExpertsParams
    evidence = Kinds(
        {
            **dict.fromkeys(("experts", "failed_classifiers", "pods", "silent"), int),
            **dict.fromkeys(("complaint", "classifier", "classifier_complaint"), str),
            "away": list[str],
            "next_try_seconds": float,
            **dict.fromkeys(("reached", "fallback_away"), bool),
        }
    )

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._pods = kubernetes.pods

    def permissions(self, params: ExpertsParams, *, namespace: str) -> Sequence[Permission]:
        """Finding the pods and asking them."""
        return server_permissions(namespace)

    async def look(self, params: ExpertsParams, ctx: CheckContext) -> Finding:
        """Ask every running pod once."""
        pods = await running_pods(self._pods, ctx)
        heard = await hear(self._pods, pods, ctx, Inference.experts)
        told = list(heard.demand("its experts").values())
        rows = [row for one in told for row in _rows(one)]
        sick = {str(row.get("name")): row for row in rows if row.get("status") != _WELL}
        classifiers = [_map(one.get("classifier")) for one in told]
        worst = max(classifiers, key=_rank)
        names = sorted(sick)
        return Finding(
            check=ctx.id,
            holds=not sick and worst.get("state") == _STATES[0] and not heard.silent,
            summary=_summary(names, worst, pods=len(told)),
            evidence={
                "experts": len({row.get("name") for row in rows}),
                "reached": not names,
                "away": names,
                "fallback_away": any(bool(row.get("fallback")) for row in sick.values()),
                "complaint": short(str(sick[names[0]].get("message") or "")) if names else "",
                "classifier": str(worst.get("state")),
                "failed_classifiers": sum(one.get("state") == "failed" for one in classifiers),
                "classifier_complaint": short(str(worst.get("message") or "")),
                "next_try_seconds": max(_next_try(one) for one in classifiers),
                "pods": len(told),
                "silent": len(heard.silent),
            },
        )


def _rows(told: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = told.get("experts")
    if not isinstance(found, list) or not found:
        message = "a router tells of no experts"
        raise UnavailableError(message)
    return [_map(row) for row in cast("list[object]", found)]


def _rank(classifier: Mapping[str, Any]) -> int:
    """A word that nobody knows counts as worse than all others."""
    state = classifier.get("state")
    return _STATES.index(state) if state in _STATES else len(_STATES)


def _next_try(classifier: Mapping[str, Any]) -> float:
    if classifier.get("state") == _STATES[0]:
        return 0.0
    found = classifier.get("next_try_seconds")
    return float(found) if isinstance(found, int | float) else _NEVER


def _summary(away: Sequence[str], classifier: Mapping[str, Any], *, pods: int) -> str:
    reached = f"not reached: {', '.join(away)}" if away else "all experts are reached"
    return f"{reached}; the classifier of {pods} routers is {classifier.get('state')}"


def _map(value: Any) -> Mapping[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
