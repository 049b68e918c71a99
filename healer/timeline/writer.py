"""Group commit: one thread, one connection, one transaction for all appends that wait.

Python's lock on the interpreter is let go and taken again around every SQLite step, and taking it
from a busy event loop costs up to 5 ms. So a batch is few statements, whatever its size.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from queue import Empty, SimpleQueue

from healer.errors import TimelineError, UnavailableError
from healer.model.event import Draft
from healer.timeline.batch import Ask, Post, write

Answer = int | TimelineError
"""The number of what was written, or why nothing was."""

Asked = tuple[Ask | Post, "asyncio.Future[int]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """How much may wait to be written before more is refused, and how much one commit takes."""

    appends: int = 8192
    size: int = 64 * 2**20
    batch: int = 1024


class Writer:
    """The only one who writes to the file. Its methods belong to the loop that made it."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], backlog: Backlog) -> None:
        self._connect = connect
        self._backlog = backlog
        self._loop = asyncio.get_running_loop()
        self._asks: SimpleQueue[Asked | None] = SimpleQueue()
        self._waiting = 0
        self._size = 0
        self._closed = False
        self._stopped = self._loop.create_future()
        self._connection: sqlite3.Connection | None = None
        self._thread = threading.Thread(target=self._run, name="timeline-writer", daemon=True)
        self._thread.start()

    async def append(
        self, drafts: Sequence[Draft], lines: Sequence[bytes], *, of: Sequence[int] = ()
    ) -> int:
        """Write the lines of the drafts; when this returns the position of the first, they stay."""
        size = sum(map(len, lines))
        return await self._write(Ask(drafts=drafts, lines=lines, of=of, size=size))

    async def deliver(self, body: bytes) -> int:
        """Write a delivery as it came; when this returns its number, it stays."""
        return await self._write(Post(body=body))

    async def close(self) -> None:
        """Write what waits, then end the thread."""
        if not self._closed:
            self._closed = True
            self._asks.put(None)
        await asyncio.shield(self._stopped)
        self._thread.join()

    async def _write(self, ask: Ask | Post) -> int:
        if self._closed:
            message = "the timeline is closed"
            raise TimelineError(message)
        size = ask.size
        full = self._waiting >= self._backlog.appends or self._size + size > self._backlog.size
        if self._waiting and full:
            message = f"the timeline is overloaded: {self._waiting} writes wait for the disk"
            raise UnavailableError(message, retry_after=timedelta(seconds=1))
        future: asyncio.Future[int] = self._loop.create_future()
        self._waiting += 1
        self._size += size
        self._asks.put((ask, future))
        return await future

    def _run(self) -> None:
        try:
            while batch := self._next():
                self._serve(batch)
        finally:
            self._drop()
            with suppress(RuntimeError):  # the loop is gone, and with it all who waited
                self._loop.call_soon_threadsafe(self._end)

    def _next(self) -> list[Asked]:
        """What waits, at least one; nothing where the end was asked for."""
        first = self._asks.get()
        batch = [] if first is None else [first]
        with suppress(Empty):
            while batch and len(batch) < self._backlog.batch:
                following = self._asks.get_nowait()
                if following is None:
                    self._asks.put(None)
                    break
                batch.append(following)
        return batch

    def _serve(self, batch: list[Asked]) -> None:
        answers: Sequence[Answer] = ()
        try:
            if self._connection is None:
                self._connection = self._connect()
            answers = write(self._connection, [ask for ask, _ in batch])
        except (sqlite3.Error, OSError, OverflowError, MemoryError, TimelineError) as error:
            self._drop()
            answers = [_failed(error) for _ in batch]
        finally:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._settle, batch, answers)

    def _drop(self) -> None:
        """A connection that met an error is not trusted again; closing it takes back its work."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _settle(self, batch: list[Asked], answers: Sequence[Answer]) -> None:
        lost = [_failed(None)] * (len(batch) - len(answers))
        for (ask, future), answer in zip(batch, [*answers, *lost], strict=True):
            self._waiting -= 1
            self._size -= ask.size
            if future.done():
                continue
            if isinstance(answer, TimelineError):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    def _end(self) -> None:
        self._closed = True
        with suppress(Empty):
            while True:
                left = self._asks.get_nowait()
                if left is not None:
                    self._settle([left], ())
        if not self._stopped.done():
            self._stopped.set_result(None)


def _failed(error: Exception | None) -> TimelineError:
    failure = TimelineError(f"the timeline could not be written: {error or 'the writer stopped'}")
    failure.__cause__ = error
    return failure
