"""Admission: so many requests run, so many wait in order, the rest are told when to come back.

A request counts from its admission until its last byte is out. Event loop only.
"""

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress

log = logging.getLogger("inference.admission")

_WINDOW = 64
_FORGET_SECONDS = 60.0


class RejectedError(Exception):
    """Not admitted; `retry_after` says in how many seconds it may work."""

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class DrainingError(RejectedError):
    """Not admitted because the server takes no new work."""


class Admission:
    """First come, first served, up to a limit that may change at any time."""

    def __init__(
        self,
        *,
        limit: Callable[[], int],
        max_queued: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = limit
        self._max_queued = max_queued
        self._clock = clock
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._left: deque[float] = deque(maxlen=_WINDOW)
        self._idle = asyncio.Event()
        self._idle.set()
        self.active = 0
        self.rejected = 0
        self.draining = False
        self._told = -math.inf

    @property
    def queued(self) -> int:
        """Requests that wait."""
        return len(self._waiting)

    @asynccontextmanager
    async def admitted(self) -> AsyncGenerator[None]:
        """Wait for a place and hold it; RejectedError when there is none even to wait in."""
        await self._enter()
        try:
            yield
        finally:
            self._leave()

    def admit_waiting(self) -> None:
        """Let in whom the limit allows now."""
        while self._waiting and self.active < self._limit():
            turn = self._waiting.popleft()
            if not turn.done():
                self.active += 1
                turn.set_result(None)
        if self.active == 0 and not self._waiting:
            self._idle.set()

    def retry_after(self) -> int:
        """Seconds until the queue has likely moved, by how fast requests have been leaving."""
        now = self._clock()
        left = [at for at in self._left if now - at <= _FORGET_SECONDS]
        if not left:
            return 5
        rate = len(left) / max(now - left[0], 1.0)
        return max(1, min(60, math.ceil((len(self._waiting) + 1) / rate)))

    async def drained(self, timeout: float) -> bool:
        """Wait until nothing runs or waits; False when time was up first."""
        try:
            async with asyncio.timeout(timeout):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def _enter(self) -> None:
        if self.draining:
            msg = "the server is draining and takes no new requests"
            raise DrainingError(msg, retry_after=self.retry_after())
        if not self._waiting and self.active < self._limit():
            self.active += 1
            self._idle.clear()
            return
        if len(self._waiting) >= self._max_queued:
            self._reject()
        await self._wait()

    def _reject(self) -> None:
        self.rejected += 1
        retry_after = self.retry_after()
        # A flood must not become a flood of log lines.
        if self._clock() - self._told >= 1:
            self._told = self._clock()
            log.warning(
                "Load shedding active. Request rejected",
                extra={
                    "event": "load_shedding", "active": self.active, "queued": self.queued,
                    "rejected": self.rejected, "retry_after": retry_after,
                },
            )  # fmt: skip
        msg = f"{self.active} requests run and {self.queued} wait: try again in {retry_after} s"
        raise RejectedError(msg, retry_after=retry_after)

    async def _wait(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._idle.clear()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave()  # let in and gone at the same moment: pass the place on
            else:
                with suppress(ValueError):
                    self._waiting.remove(turn)
                self.admit_waiting()
            raise

    def _leave(self) -> None:
        self.active -= 1
        self._left.append(self._clock())
        self.admit_waiting()
