"""Where deliveries become lines: kept as they come and answered, then correlated and appended.

One loop sorts what waits, many deliveries with one append: group commit above the store, so that
hundreds of webhooks cost few fsyncs. All of a batch or none is written, and with the same write its
deliveries are done with. While more comes than can be sorted, keeping comes before sorting.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from healer.engine.catalog import Catalog
from healer.engine.correlate import Router
from healer.engine.inbox import Inbox
from healer.engine.journal import Journal
from healer.engine.sorting import Sorting
from healer.errors import ConflictError, PermanentError, TimelineError
from healer.kit.clock import Clock
from healer.kit.retry import delays
from healer.model.alert import AlertGroup
from healer.model.delivery import Delivery
from healer.model.event import IncidentId
from healer.model.playbook import Playbook
from healer.model.receipt import Receipt

_log = logging.getLogger(__name__)

REST = 19
"""While deliveries keep coming, sorting rests so many times as long as it worked,"""
MOST_REST = timedelta(milliseconds=500)
"""but never longer than this,"""
LULL = timedelta(milliseconds=5)
"""and not at all once nothing has come for so long."""
AGAIN = timedelta(minutes=1)
"""A delivery that cannot be sorted, through a fault of our own, is tried again this often."""

Groups = Sequence[AlertGroup]


def _unreadable(_: bytes) -> AlertGroup:
    message = "nobody said how deliveries are read"
    raise PermanentError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the edge reads what it was sent, and who counts what became of it."""

    parse: Callable[[bytes], AlertGroup] = _unreadable
    counted: Callable[[Receipt], None] = lambda _: None


@dataclass(slots=True)
class _Waiting:
    """Alerts that came by another way than a delivery; sorted after the deliveries before them."""

    groups: Groups
    behind: int
    answer: "asyncio.Future[Receipt]"


class Reception:
    """Turns deliveries into durable lines. `truncated` is called where alerts were left out."""

    def __init__(
        self,
        *,
        journal: Journal,
        catalog: Catalog,
        clock: Clock,
        reading: Reading,
        woken: Callable[[IncidentId], None],
        truncated: Callable[[], None],
    ) -> None:
        self._journal = journal
        self._catalog = catalog
        self._clock = clock
        self._reading = reading
        self._woken = woken
        self._truncated = truncated
        self._inbox = Inbox(journal)
        self._queue: deque[_Waiting] = deque()
        self._news = asyncio.Event()
        self._news.set()  # what an earlier life left
        self._routed: tuple[Sequence[Playbook], Router] | None = None

    async def deliver(self, body: bytes) -> int:
        """Kept on disk as it is when this returns its number; sorted soon after.

        TimelineError, UnavailableError: not kept, or nobody knows; it may be sent again.
        """
        number = await self._inbox.deliver(body)
        self._news.set()
        return number

    async def accept(self, groups: Groups) -> Receipt:
        """Sorted and durable when it returns, and so are all deliveries before it."""
        answer: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(groups=groups, behind=self._inbox.last, answer=answer))
        self._news.set()
        return await answer

    async def run(self) -> None:
        """Sort batch after batch until cancelled."""
        looked = self._clock.now()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(AGAIN.total_seconds()):
                    await self._news.wait()
            if self._clock.now() - looked >= AGAIN:
                looked = self._clock.now()
                self._inbox.look_again()
            self._news.clear()
            await self._sort_all()

    async def _sort_all(self) -> None:
        pauses = delays(first=timedelta(milliseconds=100), cap=timedelta(seconds=10))
        while True:
            try:
                if not await self._sort_some():
                    return
                pauses = delays(first=timedelta(milliseconds=100), cap=timedelta(seconds=10))
            except TimelineError as error:
                _log.warning("deliveries wait on disk to be sorted: %s", error)
                self._refuse_waiting(str(error))
                await self._clock.sleep(next(pauses))

    async def _sort_some(self) -> bool:
        """The next batch; False where nothing waits."""
        while self._queue and self._inbox.past(self._queue[0].behind):
            await self._sort_groups(self._queue.popleft())
        began, before = asyncio.get_running_loop().time(), self._inbox.last
        deliveries = await self._inbox.next()
        if not deliveries:
            return bool(self._queue)
        try:
            await self._sort(deliveries)
        except TimelineError:
            self._inbox.take_back(deliveries[0])
            raise
        await self._rest(timedelta(seconds=asyncio.get_running_loop().time() - began), before)
        return True

    async def _rest(self, worked: timedelta, seen: int) -> None:
        left = min(worked * REST, MOST_REST)
        while (self._inbox.last > seen or self._inbox.writing) and left > timedelta():
            seen = self._inbox.last
            await self._clock.sleep(LULL)
            left -= LULL

    async def _sort(self, deliveries: Sequence[Delivery]) -> None:
        try:
            parsed = [[self._reading.parse(delivery.body)] for delivery in deliveries]
            receipts = await self._record(parsed, of=[one.number for one in deliveries])
        except TimelineError:
            raise
        except Exception:  # noqa: BLE001 - one delivery's fault must not keep the others waiting
            if len(deliveries) > 1:
                for delivery in deliveries:
                    await self._sort([delivery])
                return
            number = deliveries[0].number
            _log.exception("delivery %d cannot be sorted; it is kept, and tried again", number)
        else:
            for receipt, groups in zip(receipts, parsed, strict=True):
                self._reading.counted(receipt)
                if any(group.truncated for group in groups):
                    self._truncated()

    async def _sort_groups(self, waiting: _Waiting) -> None:
        try:
            (receipt,) = await self._record([waiting.groups])
        except TimelineError as error:
            _refuse(waiting, str(error))
        except Exception as error:  # noqa: BLE001 - its sender is told; the others are not harmed
            _log.exception("alerts cannot be sorted; whoever brought them is told to try again")
            _refuse(waiting, f"they cannot be recorded: {type(error).__name__}")
        else:
            if not waiting.answer.done():
                waiting.answer.set_result(receipt)

    def _refuse_waiting(self, reason: str) -> None:
        while self._queue:
            _refuse(self._queue.popleft(), reason)

    async def _record(
        self, batch: Sequence[Groups], *, of: Sequence[int] = ()
    ) -> Sequence[Receipt]:
        """Correlate and append; again where an incident moved on or closed meanwhile."""
        while True:
            desk = Sorting(self._router(), self._journal, self._clock, self._catalog.mode_of)
            receipts = [desk.take(groups) for groups in batch]
            changed = desk.changed()
            if not changed and not of:
                return receipts
            known = [place.id for place in changed]
            async with self._journal.holding(known):
                if not desk.still_true(changed):
                    continue
                lines = [(one.id, one.events) for one in changed]
                try:
                    await self._journal.append_held(lines, of=of)
                except ConflictError:
                    continue
            for incident in known:
                self._woken(incident)
            return receipts

    def _router(self) -> Router:
        """For the playbooks in force; they change rarely."""
        playbooks = self._catalog.current()
        if self._routed is None or self._routed[0] is not playbooks:
            self._routed = playbooks, Router(self._catalog.services.values(), playbooks)
        return self._routed[1]


def _refuse(waiting: _Waiting, reason: str) -> None:
    if not waiting.answer.done():
        waiting.answer.set_exception(TimelineError(reason))
