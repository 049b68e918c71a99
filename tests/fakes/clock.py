"""Time that follows the event loop: under looptime it is virtual."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from healer.model.event import IncidentId

START = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
"""A Monday, three in the morning."""


class LoopClock:
    """START plus the loop's own time."""

    def __init__(self) -> None:
        self._zero = asyncio.get_running_loop().time()

    def now(self) -> datetime:
        return START + timedelta(seconds=asyncio.get_running_loop().time() - self._zero)

    async def sleep(self, span: timedelta) -> None:
        await asyncio.sleep(max(0.0, span.total_seconds()))


class LoopTimer:
    """A Timer on the loop's own time."""

    def __init__(self, clock: LoopClock, ring: Callable[[IncidentId], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._set: dict[IncidentId, asyncio.TimerHandle] = {}

    def set(self, incident: IncidentId, at: datetime | None) -> None:
        if handle := self._set.pop(incident, None):
            handle.cancel()
        if at is not None:
            delay = max(0.0, (at - self._clock.now()).total_seconds())
            loop = asyncio.get_running_loop()
            self._set[incident] = loop.call_later(delay, self._ring, incident)
