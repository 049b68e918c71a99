"""How much of everything the edge takes at once, so that no flood can fill the memory."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of the edge. `idle` also bounds how long a client may take over its headers.

    aiohttp spends `shutdown` twice: first it waits for requests under way, then it cancels them.
    """

    body: int = 8 * MEBIBYTE
    requests: int = 256
    octets: int = 32 * MEBIBYTE
    connections: int = 1024
    streams: int = 64
    read: timedelta = timedelta(seconds=10)
    idle: timedelta = timedelta(seconds=30)
    handshake: timedelta = timedelta(seconds=10)
    retry_after: timedelta = timedelta(seconds=5)
    shutdown: timedelta = timedelta(seconds=5)


class FullError(Exception):
    """No room for this request now; there will be."""


class Slot:
    """The room of one request, growing with its body."""

    def __init__(self, gate: "Gate") -> None:
        self._gate = gate
        self.size = 0

    def grow(self, octets: int) -> None:
        """Take room for so many more; FullError where there is none."""
        self._gate.take(octets)
        self.size += octets


class Gate:
    """Counts requests and their octets until they are answered. It refuses and never queues."""

    def __init__(self, *, requests: int, octets: int) -> None:
        self._requests = requests
        self._octets = octets
        self.requests = 0
        self.octets = 0

    def take(self, octets: int) -> None:
        """Claim room; FullError where there is none."""
        if self.octets + octets > self._octets:
            message = "too many octets are in flight"
            raise FullError(message)
        self.octets += octets

    @contextmanager
    def slot(self) -> Generator[Slot]:
        """Room for one request; FullError where there is none."""
        if self.requests >= self._requests:
            message = "too many requests are in flight"
            raise FullError(message)
        self.requests += 1
        slot = Slot(self)
        try:
            yield slot
        finally:
            self.requests -= 1
            self.octets -= slot.size
