"""Nodes that fall silent: their pods stop being Ready, though their containers' status stays.

The status of the containers is the kubelet's to write, and the kubelet is what cannot be reached.
"""

from dataclasses import dataclass
from datetime import timedelta

from healer.lab.api.termination import stamp
from healer.lab.api.value import dig, items
from healer.lab.contract import Cluster, Object
from healer.lab.controller.loop import Controller, Key, itself, key_of, run
from healer.lab.controller.state import (
    Now,
    condition,
    is_ready,
    parse_time,
    set_condition,
)

_SILENT_AFTER = timedelta(seconds=40)
_MESSAGE = "Kubelet stopped posting node status."


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreachable:
    """Reconciles one node at a time."""

    cluster: Cluster
    now: Now

    async def run(self) -> None:
        """For ever."""
        watches = {"nodes": itself}
        await run(
            self.cluster, Controller(name="unreachable", watches=watches, reconcile=self.reconcile)
        )

    async def reconcile(self, key: Key) -> float | None:
        """Mark the node Unknown after its last heartbeat grew old, and its pods not Ready."""
        node = self.cluster.get("nodes", *key)
        beat = parse_time(dig(condition(node, "Ready"), "lastHeartbeatTime"))
        if node is not None and beat is not None:
            left = (beat + _SILENT_AFTER - self.now()).total_seconds()
            if left > 0 and dig(condition(node, "Ready"), "status") == "True":
                return left + 1
            if left <= 0 and dig(condition(node, "Ready"), "status") == "True":
                self.cluster.update("nodes", *key, self._silence)
        node = self.cluster.get("nodes", *key)
        if node is not None and dig(condition(node, "Ready"), "status") != "True":
            self._unready(key[1])
        return None

    def _silence(self, node: Object) -> None:
        at = stamp(self.now())
        for one in items(node, "status", "conditions"):
            one.update(
                status="Unknown",
                reason="NodeStatusUnknown",
                message=_MESSAGE,
                lastTransitionTime=at,
            )

    def _unready(self, node: str) -> None:
        now = self.now()

        def write(pod: Object) -> None:
            set_condition(pod, "Ready", status=False, reason="NodeNotReady", message="", now=now)

        for pod in self.cluster.list("pods"):
            if dig(pod, "spec", "nodeName") == node and is_ready(pod):
                self.cluster.update("pods", *key_of(pod), write)
                self.cluster.record(
                    pod, kind="Warning", reason="NodeNotReady", message="Node is not ready"
                )
