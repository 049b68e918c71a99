"""Nodes as healer reads them: their conditions, whether they take pods, and their GPUs."""

from collections.abc import Mapping

from pydantic import Field

from healer.client.kubernetes.object import Condition, Metadata, Wire
from healer.client.kubernetes.session import Request, Session, path

_GPUS = ("nvidia.com/gpu", "amd.com/gpu", "gpu.intel.com/i915")
_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")


class NodeSpec(Wire):
    """Whether it takes pods."""

    unschedulable: bool = False


class NodeStatus(Wire):
    """How it does, and what it has to give."""

    conditions: tuple[Condition, ...] = ()
    allocatable: Mapping[str, str] = Field(default_factory=dict[str, str])


class Node(Wire):
    """A node. It is ready by its condition: `Unknown` is not."""

    metadata: Metadata
    spec: NodeSpec = Field(default_factory=NodeSpec)
    status: NodeStatus = Field(default_factory=NodeStatus)

    @property
    def name(self) -> str:
        """Its name."""
        return self.metadata.name

    @property
    def ready(self) -> bool:
        """Does its kubelet say that it can run pods?"""
        return any(one.type == "Ready" and one.status == "True" for one in self.status.conditions)

    @property
    def cordoned(self) -> bool:
        """Has somebody said that it shall take no new pods?"""
        return self.spec.unschedulable

    @property
    def pressures(self) -> tuple[str, ...]:
        """What it runs short of."""
        found = (one for one in self.status.conditions if one.status == "True")
        return tuple(one.type for one in found if one.type in _PRESSURES)

    @property
    def gpus(self) -> int:
        """How many devices pods may ask for."""
        told = (self.status.allocatable.get(name, "") for name in _GPUS)
        return sum(int(number) for number in told if number.isdigit())

    @property
    def trouble(self) -> str:
        """What is wrong with it in a few words; '' where nothing is."""
        ready = next((one for one in self.status.conditions if one.type == "Ready"), None)
        if not self.ready:
            return f"is not ready ({ready.reason if ready else 'it says nothing'})"
        if self.pressures:
            return f"has {', '.join(self.pressures)}"
        return "is cordoned" if self.cordoned else ""


class _NodeList(Wire):
    items: tuple[Node, ...] = ()


class Nodes:
    """Reading nodes; healer changes none."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def select(self, selector: str = "") -> tuple[Node, ...]:
        """All nodes of the cluster, or those that a label selector means, by name."""
        request = Request(
            doing="list nodes",
            method="GET",
            path=path("api/v1/nodes"),
            query={"labelSelector": selector} if selector else {},
        )
        found = await self._session.get(request, _NodeList)
        return tuple(sorted(found.items, key=lambda one: one.name))
