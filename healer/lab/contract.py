"""What the parts of the lab ask of each other: the cluster's objects, and the node that runs pods.

Everything lives on one event loop, so the object calls are plain functions: nothing can happen
between reading an object and changing it.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Object = dict[str, Any]
"""A Kubernetes object as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of a watch."""

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    object: Object


class Cluster(Protocol):
    """The objects, as controllers and the node see them. `resource` is the plural: `pods`."""

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        """A copy of the object, or None. Cluster-scoped objects have the namespace ''."""
        ...

    def list(self, resource: str, namespace: str | None = None) -> list[Object]:
        """Copies of all objects of that resource, of one namespace or of all."""
        ...

    def create(self, resource: str, obj: Object) -> Object:
        """Store it with uid, resourceVersion and creationTimestamp; a Conflict if it exists."""
        ...

    def update(
        self, resource: str, namespace: str, name: str, change: Callable[[Object], None]
    ) -> Object | None:
        """Let `change` mutate the object; a new resourceVersion only if it differs. None: gone."""
        ...

    def delete(self, resource: str, namespace: str, name: str) -> None:
        """Remove it now and for good; nothing happens if it is gone already."""
        ...

    def watch(self, resource: str) -> AsyncIterator[Change]:
        """First all there is, as ADDED; then every change, in order, for ever."""
        ...

    def record(self, about: Object, *, kind: str, reason: str, message: str) -> None:
        """Write an Event object about `about`, or raise its count if the same is there.

        `kind` is Normal or Warning.
        """
        ...


class Process(Protocol):
    """A command that runs inside a container (exec)."""

    async def write(self, data: bytes) -> None:
        """Feed its stdin."""
        ...

    def output(self) -> AsyncIterator[tuple[Literal[1, 2], bytes]]:
        """Pieces of stdout (1) and stderr (2) until both are closed."""
        ...

    async def wait(self) -> int:
        """Its exit code; 128 + n for signal n."""
        ...

    async def kill(self) -> None:
        """End it, for the caller has gone."""
        ...


class Node(Protocol):
    """The one node of the lab, which runs pods as processes; what a kubelet answers."""

    async def logs(
        self, namespace: str, pod: str, *, previous: bool = False, tail: int | None = None
    ) -> bytes:
        """What the container wrote, of this life or of the one before; LookupError if none."""
        ...

    async def exec(self, namespace: str, pod: str, command: Sequence[str]) -> Process:
        """Start a command where the container lives (its mounts); LookupError if not running."""
        ...
