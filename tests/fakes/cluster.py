"""The lab's objects in memory, as its controllers and its node see them: a `Cluster` with state."""

import asyncio
import copy
from collections.abc import AsyncIterator, Callable
from typing import Literal, TypeVar

from healer.lab.contract import Change, Object

Key = tuple[str, str, str]
Found = TypeVar("Found")


class FakeCluster:
    """Keeps objects and tells watchers; it checks nothing and runs no controllers."""

    def __init__(self) -> None:
        self._objects: dict[Key, Object] = {}
        self._watchers: list[tuple[str, asyncio.Queue[Change]]] = []
        self._changed = asyncio.Event()
        self._version = 0
        self.events: list[Object] = []

    def reasons(self, name: str) -> list[str]:
        """The reasons of the events about an object, in order."""
        return [event["reason"] for event in self.events if event["about"] == name]

    # ------------------------------------------------------------------- what the contract asks

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        """A copy of the object, or None."""
        return copy.deepcopy(self._objects.get((resource, namespace, name)))

    def list(self, resource: str, namespace: str | None = None) -> list[Object]:
        """Copies of all objects."""
        return [
            copy.deepcopy(obj)
            for (kind, space, _), obj in self._objects.items()
            if kind == resource and namespace in {None, space}
        ]

    def create(self, resource: str, obj: Object) -> Object:
        """Store it."""
        stored = copy.deepcopy(obj)
        meta = stored.setdefault("metadata", {})
        key = (resource, meta.get("namespace", ""), meta["name"])
        if key in self._objects:
            raise ValueError(f"{key} exists")
        meta.setdefault("uid", f"uid-{self._version + 1}")
        self._objects[key] = stored
        self._tell("ADDED", resource, stored)
        return copy.deepcopy(stored)

    def update(
        self, resource: str, namespace: str, name: str, change: Callable[[Object], None]
    ) -> Object | None:
        """Let `change` mutate the object."""
        stored = self._objects.get((resource, namespace, name))
        if stored is None:
            return None
        new = copy.deepcopy(stored)
        change(new)
        if new != stored:
            self._objects[resource, namespace, name] = new
            self._tell("MODIFIED", resource, new)
        return copy.deepcopy(new)

    def delete(self, resource: str, namespace: str, name: str) -> None:
        """Remove it."""
        stored = self._objects.pop((resource, namespace, name), None)
        if stored is not None:
            self._tell("DELETED", resource, stored)

    async def watch(self, resource: str) -> AsyncIterator[Change]:
        """All there is, then every change."""
        queue: asyncio.Queue[Change] = asyncio.Queue()
        for obj in self.list(resource):
            queue.put_nowait(Change(type="ADDED", object=obj))
        entry = (resource, queue)
        self._watchers.append(entry)
        try:
            while True:
                yield await queue.get()
        finally:
            self._watchers.remove(entry)

    def record(self, about: Object, *, kind: str, reason: str, message: str) -> None:
        """Remember an Event."""
        name = about["metadata"]["name"]
        self.events.append({"about": name, "type": kind, "reason": reason, "message": message})
        self._wake()

    # ---------------------------------------------------------------------------- for the tests

    async def until(self, holds: Callable[[], Found], *, within: float = 20.0) -> Found:
        """Wait, change by change, until `holds` returns something true; return it."""
        async with asyncio.timeout(within):
            while not (found := holds()):
                await self._changed.wait()
        return found

    def _tell(
        self, kind: Literal["ADDED", "MODIFIED", "DELETED"], resource: str, obj: Object
    ) -> None:
        self._version += 1
        obj["metadata"]["resourceVersion"] = str(self._version)
        for watched, queue in self._watchers:
            if watched == resource:
                queue.put_nowait(Change(type=kind, object=copy.deepcopy(obj)))
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
