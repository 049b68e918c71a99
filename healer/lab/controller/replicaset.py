"""ReplicaSets: as many pods as wanted, made from the template; the least useful go first."""

import asyncio
from dataclasses import dataclass, field

from healer.lab.api.quota import exceeded
from healer.lab.api.termination import terminate
from healer.lab.api.value import dig, fields, section
from healer.lab.contract import Change, Cluster, Object
from healer.lab.controller.loop import Controller, Key, itself, key_of, run
from healer.lab.controller.state import (
    Now,
    available_in,
    controller_of,
    is_active,
    is_ready,
    owned,
    owner_reference,
)

_FIRST_DELAY, _LONGEST_DELAY = 0.005, 1000.0
"""Seconds to the next try after a refusal; they double, as in the real controller's queue."""
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaSets:
    """Reconciles one ReplicaSet at a time."""

    cluster: Cluster
    now: Now
    _refused: dict[Key, int] = field(default_factory=dict[Key, int])
    """How often in a row a pod was refused, for those for which it was."""

    async def run(self) -> None:
        """For ever."""
        watches = {"replicasets": itself, "pods": _owner}
        await run(
            self.cluster,
            Controller(name="replicaset", watches=watches, reconcile=self.reconcile),
        )

    async def reconcile(self, key: Key) -> float | None:
        """Create or end pods, then write the status."""
        found = self.cluster.get("replicasets", *key)
        if found is None or dig(found, "metadata", "deletionTimestamp"):
            return None
        pods = [pod for pod in owned(self.cluster, "pods", found) if is_active(pod)]
        missing = int(dig(found, "spec", "replicas") or 0) - len(pods)
        again = self._fill(found, key, missing)
        for pod in sorted(pods, key=_usefulness)[: max(0, -missing)]:
            self._end(found, pod)
        # A turn for others, so that a burst of changes is counted once.
        await asyncio.sleep(0)
        waits = [one for one in (self._status(key), again) if one is not None]
        return min(waits, default=None)

    def _fill(self, owner: Object, key: Key, missing: int) -> float | None:
        """Create what is missing; where that is refused, after how many seconds to try again."""
        for _ in range(missing):
            if why := exceeded(self.cluster, key[0]):
                message = f'Error creating: pods "{key[1]}-" is forbidden: {why}'
                self.cluster.record(owner, kind="Warning", reason="FailedCreate", message=message)
                times = self._refused[key] = self._refused.get(key, 0) + 1
                return float(min(_FIRST_DELAY * 2 ** (times - 1), _LONGEST_DELAY))
            self._create(owner)
        self._refused.pop(key, None)
        return None

    def _create(self, owner: Object) -> None:
        template, meta = owner["spec"]["template"], owner["metadata"]
        made = self.cluster.create(
            "pods",
            {
                "metadata": {
                    "generateName": f"{meta['name']}-",
                    "namespace": meta["namespace"],
                    "labels": dict(fields(template, "metadata", "labels")),
                    "annotations": dict(fields(template, "metadata", "annotations")),
                    "ownerReferences": [owner_reference(owner)],
                },
                "spec": template["spec"],
            },
        )
        self._tell(owner, "SuccessfulCreate", f"Created pod: {made['metadata']['name']}")

    def _end(self, owner: Object, pod: Object) -> None:
        terminate(self.cluster, pod, now=self.now())
        self._tell(owner, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")

    def _tell(self, owner: Object, reason: str, message: str) -> None:
        self.cluster.record(owner, kind="Normal", reason=reason, message=message)

    def _status(self, key: Key) -> float | None:
        """Write what is; answer when a pod will have been ready for long enough."""
        found = self.cluster.get("replicasets", *key)
        if found is None:
            return None
        pods = [pod for pod in owned(self.cluster, "pods", found) if is_active(pod)]
        min_ready = int(dig(found, "spec", "minReadySeconds") or 0)
        waits = [available_in(pod, min_ready, self.now()) for pod in pods]
        status = {
            "replicas": len(pods),
            "fullyLabeledReplicas": len(pods),
            "readyReplicas": sum(wait is not None for wait in waits),
            "availableReplicas": sum(wait == 0 for wait in waits),
            "observedGeneration": found["metadata"]["generation"],
        }
        self.cluster.update("replicasets", *key, lambda it: section(it, "status").update(status))
        return min((wait for wait in waits if wait), default=None)


def _owner(change: Change) -> tuple[Key, ...]:
    owner = controller_of(change.object)
    if owner is None or owner.get("kind") != "ReplicaSet":
        return ()
    return ((key_of(change.object)[0], str(owner["name"])),)


def _usefulness(pod: Object) -> tuple[bool, int, bool, list[int]]:
    """Unbound, pending and unready ones come first; among equals the newest."""
    made = str(pod["metadata"]["creationTimestamp"])
    return (
        bool(dig(pod, "spec", "nodeName")),
        _PHASES.get(str(dig(pod, "status", "phase")), 1),
        is_ready(pod),
        [-ord(letter) for letter in made],
    )
