"""A circuit breaker: closed, open after consecutive failures or slow calls, half-open to try once.

Failing reads alone open it, whatever is written meanwhile; only a write that comes back closes it.
It keeps count and answers; it makes no calls and touches no disk. Safe from any thread.
"""

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum

log = logging.getLogger("inference.breaker")


class Circuit(IntEnum):
    """The value of the metric `circuit_breaker_state`."""

    CLOSED = 0
    OPEN = 1
    HALF_OPEN = 2

    @property
    def word(self) -> str:
        """As operators write it."""
        return self.name.lower().replace("_", "-")


class Kind(StrEnum):
    """Of a call. A good one makes up for bad ones of its own kind, and a write for all but reads.

    For they fail apart: a full disk reads well, and a slow one still takes what is written.
    """

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerStatus:
    """What the admin endpoint tells."""

    state: Circuit
    failures: int
    opened: int
    open_seconds: float
    retry_seconds: float
    last_error: str


class Breaker:
    """Guards one dependency."""

    def __init__(
        self,
        *,
        failures: int,
        retry_seconds: float,
        slow_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = lambda: random.uniform(0.9, 1.1),  # noqa: S311 - no secret
    ) -> None:
        self._limit = failures
        self._retry = retry_seconds
        self._slow = slow_seconds
        self._clock = clock
        self._jitter = jitter
        self._lock = threading.Lock()
        self._state = Circuit.CLOSED
        self._failures = self._bad_reads = 0
        self._opened = 0
        self._opened_at = 0.0
        self._retry_at = 0.0
        self._trying = False
        self._last_error = ""

    @property
    def state(self) -> Circuit:
        """Closed, open or half-open."""
        return self._state

    def acquire(self) -> bool:
        """May a call be made now? While half-open only one is."""
        with self._lock:
            if self._state is Circuit.CLOSED:
                return True
            if self._state is Circuit.OPEN and self._clock() >= self._retry_at:
                self._move(Circuit.HALF_OPEN)
                self._trying = False
            if self._state is Circuit.HALF_OPEN and not self._trying:
                self._trying = True
                return True
            return False

    def is_slow(self, seconds: float) -> bool:
        """Does a call that took so long count as a failure?"""
        return seconds > self._slow

    def succeed(self, seconds: float, kind: Kind = Kind.WRITE) -> None:
        """The call came back; if it was slow that is a failure all the same."""
        if self.is_slow(seconds):
            self.fail(f"slow call: {seconds:.2f} s", kind)
            return
        with self._lock:
            if kind is Kind.READ:
                self._bad_reads = 0
                return
            self._failures = 0
            if self._state is Circuit.HALF_OPEN:
                self._bad_reads = 0
                self._trying = False
                self._move(Circuit.CLOSED)

    def abstain(self) -> None:
        """The call proved nothing: it found nothing to read, or nothing to write."""
        with self._lock:
            self._trying = False

    def fail(self, error: str, kind: Kind = Kind.WRITE) -> None:
        """The call failed."""
        with self._lock:
            self._failures += 1
            self._bad_reads += kind is Kind.READ
            self._last_error = error
            worst = max(self._failures, self._bad_reads)
            again = self._state is Circuit.HALF_OPEN
            if again or (self._state is Circuit.CLOSED and worst >= self._limit):
                self._open()

    def trip(self, error: str) -> None:
        """Open at once: there is no need to count."""
        with self._lock:
            self._last_error = error
            if self._state is not Circuit.OPEN:
                self._open()

    def reset(self) -> None:
        """Close by an operator's word; the next failures open it again."""
        with self._lock:
            self._failures = self._bad_reads = 0
            self._trying = False
            if self._state is not Circuit.CLOSED:
                self._move(Circuit.CLOSED)

    def status(self) -> BreakerStatus:
        """Everything about it."""
        with self._lock:
            now = self._clock()
            is_open = self._state is not Circuit.CLOSED
            return BreakerStatus(
                state=self._state,
                failures=max(self._failures, self._bad_reads),
                opened=self._opened,
                open_seconds=now - self._opened_at if is_open else 0.0,
                retry_seconds=max(0.0, self._retry_at - now) if is_open else 0.0,
                last_error=self._last_error,
            )

    def _open(self) -> None:
        now = self._clock()
        if self._state is Circuit.CLOSED:
            self._opened += 1
            self._opened_at = now
        # Jitter, lest every replica on one sick volume tries at the same moment.
        self._retry_at = now + self._retry * self._jitter()
        self._trying = False
        self._move(Circuit.OPEN)

    def _move(self, state: Circuit) -> None:
        self._state = state
        level = logging.ERROR if state is Circuit.OPEN else logging.WARNING
        log.log(
            level,
            "Circuit breaker state: %s",
            state.word,
            extra={"event": "circuit_breaker", "last_error": self._last_error},
        )
