"""What watches read: the lines of the past, as far as remembered, and those to come."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass

from healer.lab.api.failure import expired, too_large_version
from healer.lab.contract import Change, Object


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One change, with what the object was before: a selector may have lost or won it."""

    version: int
    resource: str
    change: Change
    before: Object | None = None


class History:
    """A bounded memory of changes and the listeners to new ones."""

    def __init__(self, *, remember: int) -> None:
        self.version = 1
        self._floor = 0
        self._lines: deque[Line] = deque()
        self._remember = remember
        self._listeners: dict[asyncio.Queue[Line], str] = {}

    def add(self, line: Line) -> None:
        """The newest change."""
        self.version = line.version
        self._lines.append(line)
        while len(self._lines) > self._remember:
            self._floor = self._lines.popleft().version
        for queue, resource in self._listeners.items():
            if resource == line.resource:
                queue.put_nowait(line)

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return len(self._listeners)

    def forget(self) -> None:
        """Remember nothing from before now, as an API server that has just started."""
        self._lines.clear()
        self._floor = self.version

    def check(self, version: int) -> None:
        """Raise Expired or Timeout for a version that is too old or from the future."""
        if version < self._floor:
            raise expired(f"too old resource version: {version} ({self._floor})")
        if version > self.version:
            raise too_large_version(version, self.version)

    @contextlib.contextmanager
    def listening(self, resource: str, since: int) -> Generator[asyncio.Queue[Line]]:
        """A queue of every change of that resource after a version."""
        queue: asyncio.Queue[Line] = asyncio.Queue()
        for line in self._lines:
            if line.version > since and line.resource == resource:
                queue.put_nowait(line)
        self._listeners[queue] = resource
        try:
            yield queue
        finally:
            del self._listeners[queue]
