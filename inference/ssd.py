"""The SSD volume: every read and write of it happens on one thread here, behind the breaker.

A dead disk may hang this thread; the event loop and the decode thread never wait for it. An
operation whose result is empty found nothing to read or to write: it proves nothing of the volume.
"""

import logging
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from inference.breaker import Breaker, Circuit, Kind

log = logging.getLogger("inference.ssd")
T = TypeVar("T")

_BACKLOG = 64
_WINDOW_SECONDS = 60.0
_STUCK_SECONDS = 10.0
_FAST_FAILING = "circuit open: fast-failing requests"


class SsdUnavailableError(Exception):
    """The volume is not asked now: circuit open, or too much waits for it already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """Bytes of the volume as statvfs tells them."""

    free: int
    total: int


class Ssd:
    """One volume, one thread, one breaker."""

    def __init__(
        self,
        root: Path,
        *,
        breaker: Breaker,
        failed: Callable[[Exception], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.root = root
        self.breaker = breaker
        self._failed = failed
        self._clock = clock
        self._work: queue.Queue[Callable[[], None] | None] = queue.Queue(_BACKLOG)
        self._outcomes: deque[tuple[float, bool]] = deque(maxlen=10_000)
        self._busy_since: float | None = None
        self._reported: float | None = None
        self._told = float("-inf")
        self._space: Space | None = None
        self.last_error = ""
        self.slow = 0
        """Operations that came back too late to be called well."""
        self._thread = threading.Thread(target=self._run, name="ssd-io", daemon=True)
        self._thread.start()

    def write(self, operation: Callable[[], T]) -> Future[T]:
        """Do this on the I/O thread if the circuit allows it."""

        def guarded() -> T:
            if not self.breaker.acquire():
                raise SsdUnavailableError(_FAST_FAILING)
            return self._measured(operation, Kind.WRITE)

        return self._enqueue(guarded)

    def read(self, operation: Callable[[], T]) -> Future[T]:
        """Do this on the I/O thread while the circuit is closed."""

        def guarded() -> T:
            if not self.usable:
                raise SsdUnavailableError(_FAST_FAILING)
            return self._measured(operation, Kind.READ)

        return self._enqueue(guarded)

    def direct(self, operation: Callable[[], T]) -> Future[T]:
        """Do this on the I/O thread whatever the circuit says (an operator's cleaning)."""
        return self._enqueue(operation)

    def check(self) -> Future[str]:
        """Write, sync, read and remove a file; the answer is empty or says what failed.

        The result always counts for health; for the breaker only when it may be asked.
        """
        return self._enqueue(self._check)

    @property
    def space(self) -> Space | None:
        """Bytes as of the last operation; None when the volume could not tell."""
        return self._space

    @property
    def usable(self) -> bool:
        """Worth reading from; an open circuit is tried by writing, not by requests that wait."""
        return self.breaker.state is Circuit.CLOSED

    def error_rate(self) -> float:
        """Share of the last minute's operations that failed."""
        since = self._clock() - _WINDOW_SECONDS
        recent = [bad for at, bad in tuple(self._outcomes) if at >= since]
        return sum(recent) / len(recent) if recent else 0.0

    def stuck_seconds(self) -> float:
        """How long the operation under way has taken; 0 when idle."""
        since = self._busy_since
        return 0.0 if since is None else self._clock() - since

    def watch(self) -> None:
        """An operation that never comes back tells nothing: while it hangs, open the circuit."""
        since = self._busy_since
        if since is None or since == self._reported:
            return
        if self._clock() - since > _STUCK_SECONDS:
            self._reported = since
            error = TimeoutError("an SSD operation does not come back")
            self._note(error, None)
            self.breaker.trip(str(error))

    def close(self, timeout: float) -> None:
        """End the thread; a hung one is left behind."""
        try:
            self._work.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(timeout)

    def _enqueue(self, operation: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = operation()
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits
                self._measure()
                future.set_exception(error)
            else:
                self._measure()
                future.set_result(result)

        try:
            self._work.put_nowait(work)
        except queue.Full:
            future.set_exception(SsdUnavailableError("too much waits for the SSD"))
        return future

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            self._busy_since = self._clock()
            work()
            self._busy_since = None

    def _measure(self) -> None:
        try:
            found = os.statvfs(self.root)
        except OSError:
            self._space = None
            return
        self._space = Space(
            free=found.f_bavail * found.f_frsize, total=found.f_blocks * found.f_frsize
        )

    def _measured(self, operation: Callable[[], T], kind: Kind | None) -> T:
        """Do it and count it; None is a call that the breaker does not want to hear of."""
        started = self._clock()
        try:
            result = operation()
        except Exception as error:
            self._note(error, kind)
            raise
        self._outcomes.append((self._clock(), False))
        seconds = self._clock() - started
        self.slow += self.breaker.is_slow(seconds)
        if kind is not None:
            self._tell(result, seconds, kind)
        return result

    def _tell(self, result: object, seconds: float, kind: Kind) -> None:
        if result or self.breaker.is_slow(seconds):
            self.breaker.succeed(seconds, kind)
        else:
            self.breaker.abstain()

    def _note(self, error: Exception, kind: Kind | None) -> None:
        self._outcomes.append((self._clock(), True))
        self.last_error = str(error)
        self._failed(error)
        # A full disk under load must not become a flood of log lines.
        if self._clock() - self._told >= 1:
            self._told = self._clock()
            told = {"event": "ssd_io_error", "error_rate": round(self.error_rate(), 4)}
            log.error("SSD I/O error: %s. Falling back to RAM", error, extra=told)
        if kind is not None:
            self.breaker.fail(str(error), kind)

    def _check(self) -> str:
        counts = self.breaker.acquire()
        try:
            self._measured(self._probe, Kind.WRITE if counts else None)
        except OSError as error:
            return str(error)
        self.last_error = ""
        return ""

    def _probe(self) -> int:
        """Bytes that were written and read back."""
        path = self.root / f".health-{os.getpid()}"
        data = os.urandom(4096)
        try:
            with path.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if path.read_bytes() != data:
                msg = f"{path}: read back something else than was written"
                raise OSError(msg)
            return len(data)
        finally:
            path.unlink(missing_ok=True)


def outcome_of(future: Future[Any]) -> None:
    """Take the exception of work nobody waits for, so that it is not reported twice."""
    if not future.cancelled():
        future.exception()
