"""Where deliveries become lines: correlate, append, and only then answer.

One loop takes all deliveries that are waiting and writes them with one append: group commit above
the store, so that hundreds of webhooks at once cost one fsync. All of a batch or none is written.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from healer.engine.catalog import Catalog
from healer.engine.correlate import Route, is_news, route
from healer.engine.journal import Journal
from healer.errors import ConflictError, TimelineError, UnavailableError
from healer.kit.clock import Clock
from healer.model.alert import Alert, AlertGroup
from healer.model.event import AlertsReceived, Event, IncidentId, IncidentKey, Opened
from healer.model.receipt import Receipt

BATCH = 256
"""Deliveries written with one append."""
BACKLOG = 5000
"""Deliveries that may wait; beyond, Alertmanager is told to come again (503)."""


@dataclass(slots=True)
class _Waiting:
    groups: Sequence[AlertGroup]
    answer: "asyncio.Future[Receipt]"


@dataclass(slots=True)
class _Draft:
    """The lines of one incident in this batch, and what is known of its alerts so far."""

    id: IncidentId
    events: list[Event] = field(default_factory=list[Event])
    fresh: dict[str, Alert] = field(default_factory=dict[str, Alert])


class Reception:
    """Turns deliveries into durable lines."""

    def __init__(
        self,
        *,
        journal: Journal,
        catalog: Catalog,
        clock: Clock,
        woken: Callable[[IncidentId], None],
    ) -> None:
        self._journal = journal
        self._catalog = catalog
        self._clock = clock
        self._woken = woken
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue()

    async def accept(self, groups: Sequence[AlertGroup]) -> Receipt:
        """Durable when it returns; UnavailableError where too much is waiting already."""
        if self._queue.qsize() >= BACKLOG:
            raise UnavailableError("too many deliveries are waiting to be recorded")
        waiting = _Waiting(groups=groups, answer=asyncio.get_running_loop().create_future())
        self._queue.put_nowait(waiting)
        return await waiting.answer

    async def run(self) -> None:
        """Write batch after batch until cancelled."""
        while True:
            batch = [await self._queue.get()]
            while len(batch) < BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            await self._write(batch)

    async def _write(self, batch: Sequence[_Waiting]) -> None:
        try:
            receipts = await self._record(batch)
        except TimelineError as error:
            for waiting in batch:
                if not waiting.answer.done():
                    waiting.answer.set_exception(TimelineError(str(error)))
            return
        for waiting, receipt in zip(batch, receipts, strict=True):
            if not waiting.answer.done():
                waiting.answer.set_result(receipt)

    async def _record(self, batch: Sequence[_Waiting]) -> Sequence[Receipt]:
        """Correlate and append; again where an incident moved on or closed meanwhile."""
        while True:
            desk = _Sorting(self._catalog, self._journal, self._clock)
            receipts = [desk.take(waiting.groups) for waiting in batch]
            if not desk.drafts:
                return receipts
            known = [draft.id for draft in desk.drafts.values()]
            async with self._journal.holding(known):
                if not desk.still_true():
                    continue
                lines = [(draft.id, draft.events) for draft in desk.drafts.values()]
                try:
                    await self._journal.append_held(lines)
                except ConflictError:
                    continue
            for incident in known:
                self._woken(incident)
            return receipts


class _Sorting:
    """One attempt at sorting a batch into incidents. Changes nothing outside itself."""

    def __init__(self, catalog: Catalog, journal: Journal, clock: Clock) -> None:
        self._services = tuple(catalog.services.values())
        self._playbooks = catalog.current()
        self._journal = journal
        self._now = clock.now()
        self._opened: dict[IncidentKey, bool] = {}
        self.drafts: dict[IncidentKey, _Draft] = {}

    def take(self, groups: Sequence[AlertGroup]) -> Receipt:
        """Sort one delivery."""
        counts: Counter[str] = Counter()
        for group in groups:
            news: dict[IncidentKey, tuple[Route, list[Alert]]] = {}
            for alert in group.alerts:
                found = route(
                    alert, services=self._services, playbooks=self._playbooks, now=self._now
                )
                if found is None:
                    counts["unmatched"] += 1
                    continue
                if not self._is_news(found.key, alert):
                    counts["repeated"] += 1
                    continue
                news.setdefault(found.key, (found, []))[1].append(alert)
            for found, alerts in news.values():
                counts.update(self._draft(found, alerts, group))
        return Receipt(**{name: counts[name] for name in _COUNTED})

    def still_true(self) -> bool:
        """Is every incident still as open, or as absent, as when it was sorted?"""
        return all(
            (self._journal.find_open(key) is None) == self._opened[key] for key in self.drafts
        )

    def _is_news(self, key: IncidentKey, alert: Alert) -> bool:
        draft = self.drafts.get(key)
        if draft and (seen := draft.fresh.get(alert.fingerprint)):
            return (seen.status, seen.starts_at) != (alert.status, alert.starts_at)
        return is_news(alert, self._journal.find_open(key))

    def _draft(self, found: Route, alerts: list[Alert], group: AlertGroup) -> Counter[str]:
        known = self._journal.find_open(found.key)
        draft = self.drafts.get(found.key)
        counts: Counter[str] = Counter()
        if draft is None:
            draft = _Draft(id=known.id if known else _new_id())
            self.drafts[found.key] = draft
            self._opened[found.key] = known is None
            if known is None:
                draft.events.append(Opened(key=found.key, severity=found.severity))
                counts["opened"] += 1
        if not counts["opened"]:
            counts["joined"] += sum(alert.firing for alert in alerts)
        counts["resolved"] += sum(not alert.firing for alert in alerts)
        received = AlertsReceived(alerts=tuple(alerts), group=group.key, truncated=group.truncated)
        draft.events.append(received)
        draft.fresh.update({alert.fingerprint: alert for alert in alerts})
        return counts


_COUNTED = ("opened", "joined", "repeated", "resolved", "unmatched")


def _new_id() -> IncidentId:
    return IncidentId(f"inc-{secrets.token_hex(5)}")
