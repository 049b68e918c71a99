"""HorizontalPodAutoscalers: a workload inside its bounds, its metrics near their targets."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from healer.lab.api.quantity import quantity
from healer.lab.api.resource import RESOURCES
from healer.lab.api.selector import match_labels
from healer.lab.api.termination import stamp
from healer.lab.api.value import dig, fields, items, labels, section
from healer.lab.contract import Change, Cluster, Object
from healer.lab.controller import recommendation
from healer.lab.controller.loop import Controller, Key, key_of, run
from healer.lab.controller.state import Now, is_active, is_ready, set_condition

logger = logging.getLogger(__name__)

Measure = Callable[[str, str, Sequence[Object]], Awaitable[float | None]]
"""(namespace, metric, pods) -> value. Pods: the mean over the pods; External: the value of the
whole; Resource: the mean use in percent of what is requested (Utilization) or as a plain amount
(AverageValue). None: not known."""

_HPAS = "horizontalpodautoscalers"
_EVERY = 15.0
_DOWN_WINDOW = 300.0
_PLURALS = {one.kind: one.plural for one in RESOURCES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """How many replicas, and why."""

    replicas: int
    reason: str = ""
    known: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoscaler:
    """Reconciles one autoscaler at a time; looks again every 15 seconds."""

    cluster: Cluster
    now: Now
    measure: Measure
    _stabilizers: dict[str, recommendation.Stabilizer] = field(
        default_factory=dict[str, recommendation.Stabilizer]
    )
    _seen: dict[Key, Object] = field(default_factory=dict[Key, Object])

    async def run(self) -> None:
        """For ever."""
        watches = {_HPAS: self._wished, "deployments": self._scaled, "replicasets": self._scaled}
        await run(
            self.cluster, Controller(name="autoscaler", watches=watches, reconcile=self.reconcile)
        )

    async def reconcile(self, key: Key) -> float | None:
        """Scale the target if it is not where it should be, then write the status."""
        hpa = self.cluster.get(_HPAS, *key)
        if hpa is None:
            return None
        target = self._target(hpa)
        if target is None:
            self._condition(hpa, "AbleToScale", "FailedGetScale", "the target was not found")
            return _EVERY
        current = int(dig(target, "spec", "replicas") or 0)
        if current == 0:
            message = "scaling is disabled since the replica count of the target is zero"
            self._condition(hpa, "ScalingActive", "ScalingDisabled", message)
            return _EVERY
        decision = await self._decide(hpa, target, current)
        if decision.replicas != current:
            self._scale(hpa, target, current, decision)
        self._status(hpa, key_of(target), decision)
        return _EVERY

    # ------------------------------------------------------------------------------ the decision

    async def _decide(self, hpa: Object, target: Object, current: int) -> Decision:
        low = int(dig(hpa, "spec", "minReplicas") or 1)
        high = int(hpa["spec"]["maxReplicas"])
        if current > high:
            return Decision(
                replicas=high, reason="Current number of replicas above Spec.MaxReplicas"
            )
        if current < low:
            return Decision(
                replicas=low, reason="Current number of replicas below Spec.MinReplicas"
            )
        wanted, reason, failed = await self._wanted(hpa, target, current)
        # As the real one: with a metric missing it goes up on the others, but never down.
        if wanted is None or (failed and wanted < current):
            return Decision(replicas=current, known=False)
        uid = str(hpa["metadata"]["uid"])
        stabilizer = self._stabilizers.setdefault(uid, recommendation.Stabilizer())
        settled = stabilizer.settle(
            wanted,
            current=current,
            window=_window(hpa),
            now=asyncio.get_running_loop().time(),
        )
        settled = max(low, min(high, settled))
        return Decision(
            replicas=settled, reason="All metrics below target" if settled < current else reason
        )

    async def _wanted(
        self, hpa: Object, target: Object, current: int
    ) -> tuple[int | None, str, bool]:
        """The highest that any metric asks for, its reason, and whether any was missing."""
        chosen = match_labels(dig(target, "spec", "selector"))
        space = key_of(target)[0]
        pods = [
            pod
            for pod in self.cluster.list("pods", space)
            if chosen(labels(pod)) and is_active(pod) and is_ready(pod)
        ]
        best: int | None = None
        reason, failed = "", False
        for metric in items(hpa, "spec", "metrics"):
            found = await self._one(space, metric, pods, current)
            if found is None:
                failed = True
            elif best is None or found > best:
                best, reason = found, f"{_name(metric)} above target"
        return best, reason, failed

    async def _one(
        self, space: str, metric: Object, pods: Sequence[Object], current: int
    ) -> int | None:
        kind = str(metric.get("type", ""))
        part = fields(metric, kind[:1].lower() + kind[1:])
        target = _number(fields(part, "target"))
        value = await self._measured(space, _name(metric), pods)
        if value is None or not target or (not pods and kind != "External"):
            return None
        if kind == "External" and dig(part, "target", "type") == "AverageValue":
            return recommendation.by_total(current, value, target)
        count = len(pods) or current
        return recommendation.by_average(current, count, value, target)

    async def _measured(self, space: str, name: str, pods: Sequence[Object]) -> float | None:
        try:
            return await self.measure(space, name, pods)
        except Exception:
            logger.exception("measuring %s in %s failed", name, space)
            return None

    # --------------------------------------------------------------------------------- the effect

    def _scale(self, hpa: Object, target: Object, current: int, decision: Decision) -> None:
        replicas = decision.replicas
        plural = _PLURALS[target["kind"]]
        self.cluster.update(
            plural, *key_of(target), lambda it: it["spec"].update(replicas=replicas)
        )
        message = f"New size: {replicas}; reason: {decision.reason}"
        self.cluster.record(hpa, kind="Normal", reason="SuccessfulRescale", message=message)
        at = stamp(self.now())
        logger.info("%s/%s: %s to %s", *key_of(target), current, replicas)
        self.cluster.update(
            _HPAS, *key_of(hpa), lambda it: section(it, "status").update(lastScaleTime=at)
        )

    def _status(self, hpa: Object, target: Key, decision: Decision) -> None:
        plural = _PLURALS[str(dig(hpa, "spec", "scaleTargetRef", "kind"))]
        found = self.cluster.get(plural, *target)
        now = self.now()

        def write(it: Object) -> None:
            status = section(it, "status")
            status["currentReplicas"] = int(dig(found, "status", "replicas") or 0)
            status["desiredReplicas"] = decision.replicas
            set_condition(
                it, "AbleToScale", status=True, reason="ReadyForNewScale", message="", now=now
            )
            reason = "ValidMetricFound" if decision.known else "FailedGetMetric"
            message = "" if decision.known else "a metric is not known"
            set_condition(
                it, "ScalingActive", status=decision.known, reason=reason, message=message, now=now
            )
            _limited(it, decision, now=now)

        self.cluster.update(_HPAS, *key_of(hpa), write)

    def _condition(self, hpa: Object, kind: str, reason: str, message: str) -> None:
        now = self.now()
        self.cluster.update(
            _HPAS,
            *key_of(hpa),
            lambda it: set_condition(
                it, kind, status=False, reason=reason, message=message, now=now
            ),
        )

    def _target(self, hpa: Object) -> Object | None:
        ref = fields(hpa, "spec", "scaleTargetRef")
        plural = _PLURALS.get(str(ref.get("kind")))
        if plural not in {"deployments", "replicasets"}:
            return None
        return self.cluster.get(plural, key_of(hpa)[0], str(ref.get("name")))

    def _wished(self, change: Change) -> tuple[Key, ...]:
        """An autoscaler that is new or was changed; what it writes itself is no news."""
        key = key_of(change.object)
        if change.type == "DELETED":
            self._seen.pop(key, None)
            self._stabilizers.pop(str(change.object["metadata"]["uid"]), None)
            return ()
        spec = change.object["spec"]
        if self._seen.get(key) == spec:
            return ()
        self._seen[key] = spec
        return (key,)

    def _scaled(self, change: Change) -> tuple[Key, ...]:
        """A workload that somebody else scaled wakes its autoscaler."""
        space, name = key_of(change.object)
        kind, replicas = change.object.get("kind"), dig(change.object, "spec", "replicas")
        return tuple(
            key_of(hpa)
            for hpa in self.cluster.list(_HPAS, space)
            if dig(hpa, "spec", "scaleTargetRef", "name") == name
            and dig(hpa, "spec", "scaleTargetRef", "kind") == kind
            and dig(hpa, "status", "desiredReplicas") != replicas
        )


def _limited(it: Object, decision: Decision, *, now: datetime) -> None:
    at_most = decision.replicas >= int(it["spec"]["maxReplicas"])
    reason = "TooManyReplicas" if at_most else "DesiredWithinRange"
    message = "the desired count is within the acceptable range"
    if at_most:
        message = "the desired replica count is at the maximum"
    set_condition(it, "ScalingLimited", status=at_most, reason=reason, message=message, now=now)


def _name(metric: Object) -> str:
    kind = str(metric.get("type", ""))
    part = fields(metric, kind[:1].lower() + kind[1:])
    return str(part.get("name") or dig(part, "metric", "name") or "")


def _number(target: Object) -> float:
    """The target's number, of whichever type it is."""
    for key in ("averageUtilization", "averageValue", "value"):
        if target.get(key) is not None:
            return float(quantity(target[key]))
    return 0.0


def _window(hpa: Object) -> float:
    found = dig(hpa, "spec", "behavior", "scaleDown", "stabilizationWindowSeconds")
    return _DOWN_WINDOW if found is None else float(found)
