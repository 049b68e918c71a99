"""The scheduler: binds each new pod to a node that takes it, or says what is missing."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from healer.lab.api.quantity import quantity
from healer.lab.api.store import random_suffix, reference
from healer.lab.api.value import dig, fields, items, labels
from healer.lab.contract import Change, Cluster, Object
from healer.lab.controller.loop import Controller, Key, itself, key_of, run
from healer.lab.controller.state import (
    Now,
    condition,
    is_active,
    is_terminating,
    set_condition,
)

Amounts = dict[str, Decimal]
"""Of cpu, memory and the like."""

_NAME = "default-scheduler"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduler:
    """Reconciles one pod at a time."""

    cluster: Cluster
    now: Now

    async def run(self) -> None:
        """For ever."""
        watches = {"pods": self._woken, "nodes": self._waiting}
        await run(
            self.cluster, Controller(name="scheduler", watches=watches, reconcile=self.reconcile)
        )

    async def reconcile(self, key: Key) -> float | None:
        """Bind the pod, if it waits and a node takes it."""
        pod = self.cluster.get("pods", *key)
        if pod is None or dig(pod, "spec", "nodeName") or is_terminating(pod):
            return None
        nodes = self.cluster.list("nodes")
        refusals: Counter[str] = Counter()
        for node in nodes:
            why = self._refusals(pod, node)
            if not why:
                self._bind(pod, node)
                return None
            refusals.update(why)
        self._refuse(pod, _wording(len(nodes), refusals))
        return None

    def _refusals(self, pod: Object, node: Object) -> list[str]:
        """All that keeps the pod off the node; empty: it fits."""
        if dig(node, "spec", "unschedulable"):
            return ["node(s) were unschedulable"]
        if dig(condition(node, "Ready"), "status") != "True":
            return ["node(s) had untolerated taint {node.kubernetes.io/not-ready: }"]
        wanted = fields(pod, "spec", "nodeSelector")
        if any(labels(node).get(key) != value for key, value in wanted.items()):
            return ["node(s) didn't match Pod's node affinity/selector"]
        return _lacking(pod, node, self._used(node))

    def _used(self, node: Object) -> Amounts:
        used: Amounts = {}
        for pod in self.cluster.list("pods"):
            bound = dig(pod, "spec", "nodeName") == node["metadata"]["name"]
            # A pod that ends still holds what it has until it is gone.
            if bound and (is_active(pod) or is_terminating(pod)):
                for name, amount in _requests(pod).items():
                    used[name] = used.get(name, Decimal(0)) + amount
        return used

    def _bind(self, pod: Object, node: Object) -> None:
        name, now = str(node["metadata"]["name"]), self.now()

        def write(it: Object) -> None:
            it["spec"]["nodeName"] = name
            set_condition(it, "PodScheduled", status=True, reason="", message="", now=now)

        self.cluster.update("pods", *key_of(pod), write)
        space, own = key_of(pod)
        message = f"Successfully assigned {space}/{own} to {name}"
        self._say(pod, "Normal", "Scheduled", message)

    def _refuse(self, pod: Object, message: str) -> None:
        old, now = condition(pod, "PodScheduled"), self.now()
        if dig(old, "message") == message:
            return

        def write(it: Object) -> None:
            set_condition(
                it, "PodScheduled", status=False, reason="Unschedulable", message=message, now=now
            )

        self.cluster.update("pods", *key_of(pod), write)
        self._say(pod, "Warning", "FailedScheduling", message)

    def _say(self, pod: Object, kind: str, reason: str, message: str) -> None:
        """As events.k8s.io has it: the old fields for times and count are null."""
        space, own = key_of(pod)
        self.cluster.create(
            "events",
            {
                "metadata": {"name": f"{own}.{random_suffix(16)}", "namespace": space},
                "involvedObject": reference(pod),
                "type": kind,
                "reason": reason,
                "message": message,
                "source": {},
                "firstTimestamp": None,
                "lastTimestamp": None,
                "count": None,
                "eventTime": _micro(self.now()),
                "action": "Binding" if reason == "Scheduled" else "Scheduling",
                "reportingComponent": _NAME,
                "reportingInstance": f"{_NAME}-lab",
            },
        )

    def _woken(self, change: Change) -> Iterable[Key]:
        """A pod that ends makes room for those that wait."""
        if change.type == "DELETED":
            return self._waiting(change)
        return () if dig(change.object, "spec", "nodeName") else itself(change)

    def _waiting(self, change: Change) -> Iterable[Key]:
        pods = self.cluster.list("pods")
        return tuple(key_of(pod) for pod in pods if not dig(pod, "spec", "nodeName"))


def _requests(pod: Object) -> Amounts:
    found: Amounts = {"pods": Decimal(1)}
    for container in items(pod, "spec", "containers"):
        for name, value in fields(container, "resources", "requests").items():
            found[name] = found.get(name, Decimal(0)) + quantity(value)
    return found


def _lacking(pod: Object, node: Object, used: Amounts) -> list[str]:
    room = fields(node, "status", "allocatable")
    missing: list[str] = []
    for name, wanted in _requests(pod).items():
        if wanted > quantity(room.get(name, 0)) - used.get(name, Decimal(0)):
            missing.append("Too many pods" if name == "pods" else f"Insufficient {name}")
    return missing


def _wording(nodes: int, refusals: Counter[str]) -> str:
    if nodes == 0:
        return "no nodes available to schedule pods"
    told = ", ".join(f"{count} {why}" for why, count in sorted(refusals.items()))
    return f"0/{nodes} nodes are available: {told}."


def _micro(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
