"""How the node speaks about a pod: events, and the pod's status."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from healer.lab.contract import Cluster, Object
from healer.lab.node.field import text
from healer.lab.node.status import PodView, write


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """Speaks about one pod, and about no later pod of the same name."""

    cluster: Cluster
    pod: Object
    view: PodView
    able: Callable[[], bool] = lambda: True
    """Can the node run containers? Otherwise it does not know how the pod does, and is silent."""

    def say(
        self, reason: str, message: str, *, kind: Literal["Normal", "Warning"] = "Normal"
    ) -> None:
        """Record an Event."""
        self.cluster.record(self.pod, kind=kind, reason=reason, message=message)

    def warn(self, reason: str, message: str) -> None:
        """Record an Event of type Warning."""
        self.say(reason, message, kind="Warning")

    def publish(self) -> None:
        """Write the status, if it differs."""
        if not self.able():
            return
        meta = self.pod["metadata"]

        def change(stored: Object) -> None:
            if text(stored, "metadata", "uid") == meta["uid"]:
                write(stored, self.view)

        self.cluster.update("pods", meta["namespace"], meta["name"], change)
