"""Admission: so many requests run, so many wait in order, the rest are told when to come back.

The order is priority with ageing: a point of priority is worth some seconds of waiting, so nobody
waits for ever. A request counts from its admission until its last byte is out. Event loop only.
"""

import asyncio
import logging
import math
import time
from bisect import insort
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

log = logging.getLogger("inference.admission")

_WINDOW = 64
_FORGET_SECONDS = 60.0


class RejectedError(Exception):
    """Not admitted; `retry_after` says in how many seconds it may work."""

    def __init__(self, message: str, *, retry_after: int, status: int = 503) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.status = status


class DrainingError(RejectedError):
    """Not admitted because the server takes no new work."""


class DeadlineError(Exception):
    """The time that the request was given is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a request asks of the queue: a lower priority goes first, as vLLM counts it."""

    priority: int = 0
    deadline: float | None = None
    tokens: int = 0
    """What prompt and answer come to at their longest."""


_PLAIN = Claim()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Turn:
    claim: Claim
    rank: tuple[float, float, int]
    future: asyncio.Future[None]


class Admission:
    """By priority, then first come, first served, up to a limit that may change at any time.

    `fits` says whether there is memory for so many requests, given the tokens of the longest of
    them. Where the first in the queue does not fit, those behind it wait as well; who is alone is
    always let in.
    """

    def __init__(
        self,
        *,
        limit: Callable[[], int],
        fits: Callable[[int, int], bool] = lambda requests, tokens: True,
        max_queued: int,
        age_seconds: float = 1.0,
        overload_status: int = 429,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = limit
        self._fits = fits
        self._max_queued = max_queued
        self._age_seconds = age_seconds
        self._overload_status = overload_status
        self._clock = clock
        self._waiting: list[_Turn] = []
        self._arrivals = 0
        self._left: deque[float] = deque(maxlen=_WINDOW)
        self._idle = asyncio.Event()
        self._idle.set()
        self._quiet = asyncio.Event()
        self._holds = 0
        self._running: list[int] = []
        self.rejected = 0
        self.draining = False
        self._told = -math.inf

    @property
    def active(self) -> int:
        """Requests that were let in and have not left."""
        return len(self._running)

    @property
    def queued(self) -> int:
        """Requests that wait."""
        return len(self._waiting)

    @asynccontextmanager
    async def admitted(self, claim: Claim = _PLAIN) -> AsyncGenerator[None]:
        """Wait for a place and hold it; RejectedError when there is none even to wait in.

        DeadlineError when the wait took all the time there was.
        """
        await self._enter(claim)
        try:
            yield
        finally:
            self._leave(claim)

    def admit_waiting(self) -> None:
        """Let in whom the limit allows now."""
        while self._waiting and self._has_place(self._waiting[0].claim):
            turn = self._waiting.pop(0)
            if not turn.future.done():
                self._running.append(turn.claim.tokens)
                turn.future.set_result(None)
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

    @asynccontextmanager
    async def held(self, timeout: float) -> AsyncGenerator[None]:
        """Nothing runs while the block does: who comes waits, as long as the queue has room.

        TimeoutError where what has begun takes longer than that to finish, in seconds.
        """
        self._holds += 1
        try:
            async with asyncio.timeout(timeout):
                while self.active:
                    self._quiet.clear()
                    await self._quiet.wait()
            yield
        finally:
            self._holds -= 1
            self.admit_waiting()

    def _has_place(self, claim: Claim) -> bool:
        if self._holds or self.active >= self._limit():
            return False
        return not self._running or self._fits(self.active + 1, max(claim.tokens, *self._running))

    async def _enter(self, claim: Claim) -> None:
        if self.draining:
            msg = "the server is draining and takes no new requests"
            raise DrainingError(msg, retry_after=self.retry_after())
        if not self._waiting and self._has_place(claim):
            self._running.append(claim.tokens)
            self._idle.clear()
            return
        if len(self._waiting) >= self._max_queued:
            self._make_room(claim)
        await self._wait(claim)

    def _make_room(self, claim: Claim) -> None:
        """A full queue turns away whom it values least: one that waits, or else the new one."""
        last = max(self._waiting, key=_by_value, default=None)
        if last is None or last.claim.priority <= claim.priority:
            raise self._rejection()
        self._waiting.remove(last)
        if not last.future.done():
            last.future.set_exception(self._rejection())

    def _rejection(self) -> RejectedError:
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
        return RejectedError(msg, retry_after=retry_after, status=self._overload_status)

    async def _wait(self, claim: Claim) -> None:
        try:
            async with asyncio.timeout_at(claim.deadline):
                await self._turn(claim)
        except TimeoutError:
            msg = "the request's time was over before there was a place for it"
            raise DeadlineError(msg) from None

    async def _turn(self, claim: Claim) -> None:
        turn = self._enqueue(claim)
        self.admit_waiting()  # it may have gone before one that does not fit, and fit itself
        try:
            await turn.future
        except asyncio.CancelledError:
            done = turn.future.done() and not turn.future.cancelled()
            if done and turn.future.exception() is None:
                self._leave(claim)  # let in and gone at the same moment: pass the place on
            else:
                with suppress(ValueError):
                    self._waiting.remove(turn)
                self.admit_waiting()
            raise

    def _enqueue(self, claim: Claim) -> _Turn:
        """All age alike, so the order among those who wait never changes once they do."""
        self._arrivals += 1
        worth = claim.priority * self._age_seconds + self._clock()
        deadline = math.inf if claim.deadline is None else claim.deadline
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        turn = _Turn(claim=claim, rank=(worth, deadline, self._arrivals), future=future)
        insort(self._waiting, turn, key=_by_rank)
        self._idle.clear()
        return turn

    def _leave(self, claim: Claim) -> None:
        self._running.remove(claim.tokens)
        if not self.active:
            self._quiet.set()
        self._left.append(self._clock())
        self.admit_waiting()


def _by_rank(turn: _Turn) -> tuple[float, float, int]:
    return turn.rank


def _by_value(turn: _Turn) -> tuple[int, tuple[float, float, int]]:
    return turn.claim.priority, turn.rank
