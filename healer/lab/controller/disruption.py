"""PodDisruptionBudgets: how many pods are healthy, how many must be, how many may go now."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from healer.lab.api.quantity import share
from healer.lab.api.selector import match_labels
from healer.lab.api.value import dig, fields, labels, section
from healer.lab.contract import Change, Cluster, Object
from healer.lab.controller.loop import Controller, Key, itself, key_of, run
from healer.lab.controller.state import (
    Now,
    controller_of,
    is_active,
    is_ready,
    is_terminating,
    parse_time,
    set_condition,
)

_BUDGETS = "poddisruptionbudgets"
_GRANTED_FOR = timedelta(minutes=2)
"""So long a pod whose eviction was granted counts as gone, though it is still there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disruptions:
    """Reconciles one budget at a time."""

    cluster: Cluster
    now: Now

    async def run(self) -> None:
        """For ever."""
        watches = {
            _BUDGETS: itself,
            "pods": self._matching,
            "replicasets": self._all,
            "deployments": self._all,
        }
        await run(
            self.cluster, Controller(name="disruption", watches=watches, reconcile=self.reconcile)
        )

    async def reconcile(self, key: Key) -> float | None:
        """Write the status; look again when a grant has expired."""
        budget = self.cluster.get(_BUDGETS, *key)
        if budget is None:
            return None
        chosen = match_labels(dig(budget, "spec", "selector"))
        pods = [pod for pod in self.cluster.list("pods", key[0]) if chosen(labels(pod))]
        now = self.now()
        granted = _granted(budget, pods, now)
        healthy = sum(
            is_active(pod) and is_ready(pod) and pod["metadata"]["name"] not in granted
            for pod in pods
        )
        expected, desired = self._wanted(budget, [pod for pod in pods if is_active(pod)])
        counts = {
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "expectedPods": expected,
            "disruptionsAllowed": max(0, healthy - desired) if expected > 0 else 0,
        }
        self.cluster.update(_BUDGETS, *key, lambda it: _write(it, counts, granted, now))
        ends = [parse_time(at) for at in granted.values()]
        left = [(at + _GRANTED_FOR - now).total_seconds() for at in ends if at is not None]
        return min(left) + 1 if left else None

    def _wanted(self, budget: Object, pods: list[Object]) -> tuple[int, int]:
        """How many pods there should be and how many must be healthy."""
        spec = fields(budget, "spec")
        least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
        if most is not None:
            expected = self._expected(pods)
            return expected, max(0, expected - share(most, expected, up=True))
        if isinstance(least, str):
            expected = self._expected(pods)
            return expected, share(least, expected, up=True)
        return len(pods), int(least if least is not None else 1)

    def _expected(self, pods: list[Object]) -> int:
        """What the owners of the pods want altogether."""
        owners = {(key_of(pod)[0], str(dig(controller_of(pod), "name"))) for pod in pods}
        tops: dict[tuple[str, Key], int] = {}
        for owner in owners:
            found = self.cluster.get("replicasets", *owner)
            if found is None:
                continue
            plural = "replicasets"
            above = controller_of(found)
            if above is not None and above.get("kind") == "Deployment":
                upper = self.cluster.get("deployments", owner[0], str(above["name"]))
                found, plural = (upper, "deployments") if upper else (found, plural)
            tops[plural, key_of(found)] = int(dig(found, "spec", "replicas") or 0)
        return sum(tops.values())

    def _matching(self, change: Change) -> Iterable[Key]:
        for budget in self.cluster.list(_BUDGETS, change.object["metadata"]["namespace"]):
            if match_labels(dig(budget, "spec", "selector"))(labels(change.object)):
                yield key_of(budget)

    def _all(self, change: Change) -> Iterable[Key]:
        found = self.cluster.list(_BUDGETS, change.object["metadata"]["namespace"])
        return tuple(key_of(budget) for budget in found)


def _granted(budget: Object, pods: list[Object], now: datetime) -> dict[str, str]:
    """Pods whose eviction was granted and has not shown yet."""
    waiting = {str(pod["metadata"]["name"]) for pod in pods if not is_terminating(pod)}
    found: dict[str, str] = {}
    for name, at in fields(budget, "status", "disruptedPods").items():
        since = parse_time(at)
        if name in waiting and since is not None and now < since + _GRANTED_FOR:
            found[name] = str(at)
    return found


def _write(it: Object, counts: Object, granted: dict[str, str], now: datetime) -> None:
    status = section(it, "status")
    status.update(counts)
    status["observedGeneration"] = it["metadata"]["generation"]
    status.pop("disruptedPods", None)
    if granted:
        status["disruptedPods"] = granted
    allowed = counts["disruptionsAllowed"] > 0
    reason = "SufficientPods" if allowed else "InsufficientPods"
    set_condition(it, "DisruptionAllowed", status=allowed, reason=reason, message="", now=now)
