"""The arithmetic of a rolling update: how many replicas each ReplicaSet is to have. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from healer.lab.api.quantity import share
from healer.lab.api.value import dig, fields
from healer.lab.contract import Object


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """How far a rollout may go above and below the wanted number."""

    replicas: int
    surge: int
    unavailable: int

    @property
    def least(self) -> int:
        """So many must stay available."""
        return self.replicas - self.unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Set:
    """What counts of a ReplicaSet."""

    name: str
    wanted: int
    available: int
    present: int = 0
    """Pods that are there and not told to end."""


def fence(deployment: Object) -> Fence:
    """The fence of a Deployment; never one that stands still."""
    replicas = int(deployment["spec"]["replicas"])
    if dig(deployment, "spec", "strategy", "type") == "Recreate":
        return Fence(replicas=replicas, surge=0, unavailable=replicas)
    rolling = fields(deployment, "spec", "strategy", "rollingUpdate")
    surge = share(rolling.get("maxSurge", "25%"), replicas, up=True)
    unavailable = share(rolling.get("maxUnavailable", "25%"), replicas, up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Fence(replicas=replicas, surge=surge, unavailable=min(unavailable, replicas))


def new_size(limits: Fence, new: Set, old: Sequence[Set]) -> int:
    """How many replicas the new ReplicaSet is to have now."""
    if new.wanted >= limits.replicas:
        return limits.replicas
    # Pods that are still to be told to end take room until they are.
    taken = sum(max(one.wanted, one.present) for one in old)
    room = limits.replicas + limits.surge - new.wanted - taken
    return min(limits.replicas, new.wanted + max(0, room))


def old_sizes(limits: Fence, new: Set, old: Sequence[Set]) -> Mapping[str, int]:
    """How many replicas the old ReplicaSets (oldest first) are to have now: the sick go first."""
    sizes = {one.name: one.wanted for one in old}
    everything = new.wanted + sum(sizes.values())
    pending = max(0, new.wanted - new.available)
    spare = everything - limits.least - pending
    for one in old:
        sick = min(max(0, spare), max(0, one.wanted - one.available))
        sizes[one.name] -= sick
        spare -= sick
    excess = new.available + sum(one.available for one in old) - limits.least
    for one in old:
        healthy = min(max(0, excess), max(0, spare), sizes[one.name])
        sizes[one.name] -= healthy
        excess -= healthy
        spare -= healthy
    return sizes
