"""Binds claims at once. A claim that has grown shows its new capacity once its node made it so."""

from dataclasses import dataclass

from healer.lab.api.value import dig, section
from healer.lab.contract import Cluster, Object
from healer.lab.controller.loop import Controller, Key, itself, run


@dataclass(frozen=True, slots=True, kw_only=True)
class Binder:
    """Reconciles one claim at a time."""

    cluster: Cluster

    async def run(self) -> None:
        """For ever."""
        watches = {"persistentvolumeclaims": itself}
        await run(
            self.cluster, Controller(name="binder", watches=watches, reconcile=self.reconcile)
        )

    async def reconcile(self, key: Key) -> float | None:
        """Bind the claim, unless it is bound."""
        self.cluster.update("persistentvolumeclaims", *key, _bind)
        return None


def _bind(claim: Object) -> None:
    if dig(claim, "status", "phase") == "Bound":
        return
    spec = section(claim, "spec")
    spec.setdefault("volumeName", f"pvc-{claim['metadata']['uid']}")
    storage = dig(spec, "resources", "requests", "storage")
    section(claim, "status").update(
        phase="Bound", accessModes=spec.get("accessModes", []), capacity={"storage": storage}
    )
