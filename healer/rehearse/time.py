"""Virtual time: an event loop that never waits, but goes straight to the next thing to do."""

import asyncio
import selectors
from collections.abc import Callable
from datetime import datetime, timedelta

from healer.model.event import IncidentId


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time passes only where everybody waits for it. Sockets and threads have no place here."""

    def __init__(self) -> None:
        self._passed = 0.0
        super().__init__(_Impatient(self.skip))

    def time(self) -> float:
        """Seconds since it was made."""
        return self._passed

    def skip(self, seconds: float) -> None:
        """Let so much time pass."""
        self._passed += seconds


class _Impatient(selectors.DefaultSelector):
    """What the loop would wait for is over at once; what has arrived meanwhile is told."""

    def __init__(self, skip: Callable[[float], None]) -> None:
        super().__init__()
        self._skip = skip

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Never waits. Where the loop has nothing at all to wait for, that is an error."""
        if timeout is None:
            message = "nothing will ever happen again"
            raise RuntimeError(message)
        self._skip(max(0.0, timeout))
        return super().select(0)


class LoopClock:
    """A moment, plus the time of the running loop since the clock was made."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._zero = asyncio.get_running_loop().time()

    def now(self) -> datetime:
        """The present moment, in UTC."""
        return self._start + timedelta(seconds=asyncio.get_running_loop().time() - self._zero)

    async def sleep(self, span: timedelta) -> None:
        """Return after `span`; at once where it is not positive."""
        await asyncio.sleep(max(0.0, span.total_seconds()))


class LoopTimer:
    """The engine's alarm clock on the loop's own time."""

    def __init__(self, clock: LoopClock, ring: Callable[[IncidentId], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._set: dict[IncidentId, asyncio.TimerHandle] = {}

    def set(self, incident: IncidentId, at: datetime | None) -> None:
        """Ring at that moment, in place of what was set; None: not at all."""
        if handle := self._set.pop(incident, None):
            handle.cancel()
        if at is not None:
            delay = max(0.0, (at - self._clock.now()).total_seconds())
            loop = asyncio.get_running_loop()
            self._set[incident] = loop.call_later(delay, self._ring, incident)
