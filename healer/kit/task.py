"""Workers by key: serial within a key, side by side between keys. Knows nothing of the work."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from datetime import timedelta
from typing import Generic, TypeVar

from healer.kit.clock import Clock
from healer.kit.retry import delays

KeyT = TypeVar("KeyT", bound=Hashable)

REST = timedelta(milliseconds=50)

_log = logging.getLogger(__name__)


class Crew(Generic[KeyT]):
    """One worker a key, started by `wake`, gone when idle. A wake during work means once more.

    After its work a worker rests for a moment, so that a storm of wakes is few rounds of work.

    `limit` bounds how many keys are worked on at once. Work that raises is a fault in our own
    code: it is logged with its traceback and tried again, ever more slowly, for that key alone.
    """

    def __init__(
        self, work: Callable[[KeyT], Awaitable[None]], *, clock: Clock, limit: int = 1000
    ) -> None:
        self._work = work
        self._clock = clock
        self._dirty: set[KeyT] = set()
        self._active: set[KeyT] = set()
        self._fresh: asyncio.Queue[KeyT] = asyncio.Queue()
        self._slots = asyncio.Semaphore(limit)

    def wake(self, key: KeyT) -> None:
        """There may be work for this key. Never waits."""
        self._dirty.add(key)
        if key not in self._active:
            self._active.add(key)
            self._fresh.put_nowait(key)

    @property
    def busy(self) -> int:
        """How many keys have a worker or wait for one."""
        return len(self._active)

    async def run(self) -> None:
        """Serve until cancelled; work in progress is cancelled with it."""
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self._serve(await self._fresh.get()))

    async def _serve(self, key: KeyT) -> None:
        pauses = delays(first=timedelta(seconds=1), cap=timedelta(minutes=5))
        try:
            while key in self._dirty:
                self._dirty.discard(key)
                try:
                    async with self._slots:
                        await self._work(key)
                except Exception:  # noqa: BLE001 - a fault in one key's work must not stop the others
                    _log.exception("work on %s failed; it is tried again", key)
                    self._dirty.add(key)
                    await self._clock.sleep(next(pauses))
                else:
                    await self._clock.sleep(REST)
        finally:
            self._active.discard(key)
