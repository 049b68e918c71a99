"""The one source of time. Deadlines use `asyncio.timeout`, which follows the loop's own time."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What time is it, and wake me later."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        ...

    async def sleep(self, span: timedelta) -> None:
        """Return after `span`; at once where it is not positive."""
        ...


class SystemClock:
    """The wall clock of the machine."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, span: timedelta) -> None:
        """Return after `span`; at once where it is not positive."""
        await asyncio.sleep(max(0.0, span.total_seconds()))
