"""Deliveries that are on disk as they came and wait to be sorted. It sorts nothing itself.

The disk is the truth: what is sorted is gone from there with the same write, so reading it again
never brings anything twice. Memory only spares the reading, and holds no more than its bounds.
"""

import asyncio
from collections import deque
from itertools import islice

from healer.engine.journal import Journal
from healer.errors import TimelineError, UnavailableError
from healer.model.delivery import Delivery

HELD = 16 * 2**20
"""Octets of bodies kept in memory; beyond that they are read from disk again."""
BACKLOG = 2**30
"""Octets that may wait on disk; beyond, Alertmanager is told to come again (503)."""
BATCH = 256
"""Deliveries that are sorted together at the most,"""
SIZE = 256 * 2**10
"""and their octets, so that nothing else in the daemon waits long for the sorting."""


class Inbox:
    """In the order of their numbers, which is that of their coming."""

    def __init__(self, journal: Journal, *, held: int = HELD, backlog: int = BACKLOG) -> None:
        self._journal = journal
        self._most_held, self._most = held, backlog
        self._held: dict[int, bytes] = {}
        self._size = 0
        self._backlog = 0
        self._page: deque[Delivery] = deque()
        self._taken = 0
        self._unread = True  # an earlier life may have left some
        self.last = 0
        """The number of the latest one that was recorded here."""
        self.writing = 0
        """How many are being recorded just now."""

    async def deliver(self, body: bytes) -> int:
        """Durable when it returns its number; TimelineError or UnavailableError: send it again."""
        if self._backlog + len(body) > self._most:
            message = "too many deliveries wait to be sorted into incidents"
            raise UnavailableError(message)
        self.writing += 1
        try:
            number = await self._journal.deliver(body)
        except (asyncio.CancelledError, TimelineError):
            self._unread = True  # whether it was kept is unknown; if so it is found on disk
            raise
        finally:
            self.writing -= 1
        self._recorded(number, body)
        return number

    async def next(self) -> list[Delivery]:
        """The next ones, oldest first; none where nothing waits. TimelineError: unreadable now."""
        if self._unread and not self._page:
            self._page.extend(await self._journal.delivered(after=self._taken, limit=BATCH))
            self._unread = bool(self._page)
        if not self._page:
            self._page.extend(Delivery(*one) for one in islice(self._held.items(), BATCH))
        if not self._page:
            self._taken = max(self._taken, self.last)
        return self._take()

    def take_back(self, delivery: Delivery) -> None:
        """It was not sorted after all: it and all that came later are read again."""
        self._rewind(delivery.number)

    def look_again(self) -> None:
        """Read from the beginning what is still there."""
        self._rewind(1)

    def past(self, number: int) -> bool:
        """Were all deliveries up to this one handed out?"""
        return not self._unread and self._taken >= number

    def _take(self) -> list[Delivery]:
        size, taken = 0, list[Delivery]()
        while self._page and (not taken or size + len(self._page[0].body) <= SIZE):
            delivery = self._page.popleft()
            size += len(delivery.body)
            taken.append(delivery)
            self._taken = delivery.number
            self._size -= len(self._held.pop(delivery.number, b""))
        self._backlog = max(0, self._backlog - size)
        return taken

    def _rewind(self, number: int) -> None:
        """Read on disk from this one on."""
        self._taken = min(self._taken, number - 1)
        self._page.clear()
        self._unread = True

    def _recorded(self, number: int, body: bytes) -> None:
        self._backlog += len(body)
        if number <= max(self._taken, self.last):
            self._rewind(number)  # told late; if it was found on disk meanwhile, it is gone there
        elif self._size + len(body) > self._most_held:
            self._unread = True
        else:
            self._held[number] = body
            self._size += len(body)
        self.last = max(self.last, number)
