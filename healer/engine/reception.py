"""Where deliveries become lines: correlate, append, and only then answer.

One loop takes all deliveries that are waiting and writes them with one append: group commit above
the store, so that hundreds of webhooks at once cost one fsync. All of a batch or none is written.
"""

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from healer.engine.catalog import Catalog
from healer.engine.correlate import Route, Router, is_news
from healer.engine.journal import Journal
from healer.errors import ConflictError, TimelineError, UnavailableError
from healer.kit.clock import Clock
from healer.model.alert import Alert, AlertGroup
from healer.model.event import AlertsReceived, Event, IncidentId, IncidentKey, Opened
from healer.model.incident import Incident
from healer.model.playbook import Playbook
from healer.model.receipt import Receipt, receipt_of

_log = logging.getLogger(__name__)

BATCH = 256
"""Deliveries written with one append."""
BACKLOG = 5000
"""Deliveries that may wait; beyond, Alertmanager is told to come again (503)."""


@dataclass(slots=True)
class _Waiting:
    groups: Sequence[AlertGroup]
    answer: "asyncio.Future[Receipt]"


@dataclass(slots=True)
class _Place:
    """One incident in this batch, open (`known`) or about to be: its new lines and alerts."""

    key: IncidentKey
    known: Incident | None
    id: IncidentId
    events: list[Event] = field(default_factory=list[Event])
    fresh: dict[str, Alert] = field(default_factory=dict[str, Alert])

    def is_news(self, alert: Alert) -> bool:
        """Does it tell anything that neither the incident nor this batch has told?"""
        seen = self.fresh.get(alert.fingerprint)
        if seen is None:
            return is_news(alert, self.known)
        return (seen.status, seen.starts_at) != (alert.status, alert.starts_at)


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
        self._routed: tuple[Sequence[Playbook], Router] | None = None

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
            _refuse(batch, str(error))
        except Exception as error:  # noqa: BLE001 - one delivery's fault must not refuse the others
            if len(batch) > 1:
                for waiting in batch:
                    await self._write([waiting])
                return
            _log.exception("a delivery cannot be recorded; the sender is told to try again")
            _refuse(batch, f"the delivery cannot be recorded: {type(error).__name__}")
        else:
            for waiting, receipt in zip(batch, receipts, strict=True):
                if not waiting.answer.done():
                    waiting.answer.set_result(receipt)

    async def _record(self, batch: Sequence[_Waiting]) -> Sequence[Receipt]:
        """Correlate and append; again where an incident moved on or closed meanwhile."""
        while True:
            desk = _Sorting(self._router(), self._journal, self._clock)
            receipts = [desk.take(waiting.groups) for waiting in batch]
            changed = desk.changed()
            if not changed:
                return receipts
            known = [place.id for place in changed]
            async with self._journal.holding(known):
                if not desk.still_true(changed):
                    continue
                try:
                    await self._journal.append_held([(one.id, one.events) for one in changed])
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


def _refuse(batch: Iterable[_Waiting], reason: str) -> None:
    for waiting in batch:
        if not waiting.answer.done():
            waiting.answer.set_exception(TimelineError(reason))


class _Sorting:
    """One attempt at sorting a batch into incidents. Changes nothing outside itself."""

    def __init__(self, router: Router, journal: Journal, clock: Clock) -> None:
        self._router = router
        self._journal = journal
        self._now = clock.now()
        self._places: dict[IncidentKey, _Place] = {}

    def take(self, groups: Sequence[AlertGroup]) -> Receipt:
        """Sort one delivery."""
        tally: Counter[tuple[str, str]] = Counter()
        for group in groups:
            news: dict[IncidentId, tuple[_Place, str, list[Alert]]] = {}
            for alert in group.alerts:
                found = self._router.route(alert, now=self._now)
                if found is None:
                    tally["", "unmatched"] += 1
                    continue
                place = self._place_of(found)
                if not place.is_news(alert):
                    tally[found.key.service, "repeated"] += 1
                    continue
                place.fresh[alert.fingerprint] = alert
                news.setdefault(place.id, (place, found.severity, []))[2].append(alert)
            for place, severity, alerts in news.values():
                service = place.key.service
                if place.known is None and not place.events:
                    place.events.append(Opened(key=place.key, severity=severity))
                    tally[service, "opened"] += 1
                else:
                    tally[service, "joined"] += sum(alert.firing for alert in alerts)
                tally[service, "resolved"] += sum(not alert.firing for alert in alerts)
                received = AlertsReceived(
                    alerts=tuple(alerts), group=group.key, truncated=group.truncated
                )
                place.events.append(received)
        return receipt_of(tally)

    def changed(self) -> Sequence[_Place]:
        """The incidents that have new lines."""
        return [place for place in self._places.values() if place.events]

    def still_true(self, places: Iterable[_Place]) -> bool:
        """Is every incident still as open, or as absent, as when it was sorted?"""
        return all(_id(self._journal.find_open(place.key)) == _id(place.known) for place in places)

    def _place_of(self, route: Route) -> _Place:
        """Its own incident; else an open one that it joins; else a new one."""
        for key in (route.key, *route.joins):
            place = self._places.get(key) or self._find(key)
            if place.known or place.fresh:
                return place
        return self._places[route.key]

    def _find(self, key: IncidentKey) -> _Place:
        known = self._journal.find_open(key)
        place = _Place(key=key, known=known, id=known.id if known else _new_id())
        self._places[key] = place
        return place


def _id(incident: Incident | None) -> IncidentId | None:
    return incident.id if incident else None


def _new_id() -> IncidentId:
    return IncidentId(f"inc-{secrets.token_hex(5)}")
