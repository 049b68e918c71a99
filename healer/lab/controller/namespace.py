"""Namespaces that end: empties them, waits for their pods, lets them go."""

from dataclasses import dataclass

from healer.lab.api.resource import RESOURCES
from healer.lab.api.termination import terminate
from healer.lab.contract import Change, Cluster
from healer.lab.controller.loop import Controller, Key, itself, key_of, run
from healer.lab.controller.state import Now, is_terminating


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespaces:
    """Reconciles one namespace at a time."""

    cluster: Cluster
    now: Now

    async def run(self) -> None:
        """For ever."""
        watches = {"namespaces": itself, "pods": _of_pod}
        await run(
            self.cluster, Controller(name="namespace", watches=watches, reconcile=self.reconcile)
        )

    async def reconcile(self, key: Key) -> float | None:
        """Take away what is in a namespace that ends; the namespace when nothing is left."""
        found = self.cluster.get("namespaces", *key)
        if found is None or not is_terminating(found):
            return None
        space = key[1]
        for resource in RESOURCES:
            if resource.namespaced and resource.plural != "pods":
                for obj in self.cluster.list(resource.plural, space):
                    self.cluster.delete(resource.plural, *key_of(obj))
        for pod in self.cluster.list("pods", space):
            if not is_terminating(pod):
                terminate(self.cluster, pod, now=self.now())
        if not self.cluster.list("pods", space):
            self.cluster.delete("namespaces", *key)
        return None


def _of_pod(change: Change) -> tuple[Key, ...]:
    return (("", key_of(change.object)[0]),) if change.type == "DELETED" else ()
