"""The one door: webhooks, timers, recovery and operators all end in `wake(incident)`.

`deliver` answers only when the delivery is on disk; it becomes lines of incidents right after.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from healer.engine.case import Tools
from healer.engine.catalog import Catalog
from healer.engine.catchup import Asking, CatchUp
from healer.engine.claim import Claims
from healer.engine.deadline import Timer, alarms
from healer.engine.journal import Journal
from healer.engine.outbox import Outbox
from healer.engine.reception import Groups, Reading, Reception
from healer.engine.remediation import Remediation
from healer.errors import TimelineError
from healer.kit.clock import Clock
from healer.kit.duration import format_duration
from healer.kit.task import Crew
from healer.model.event import (
    Alarm,
    AlarmRang,
    AlertsReceived,
    Entry,
    Escalated,
    IncidentId,
    PlaybookMatched,
)
from healer.model.incident import Incident
from healer.model.playbook import Playbook
from healer.model.receipt import Receipt
from healer.notify.contract import Notifier


class Dispatcher:
    """Accepts alerts, wakes one serial worker per incident, and rings its deadlines."""

    def __init__(
        self,
        *,
        journal: Journal,
        catalog: Catalog,
        clock: Clock,
        reading: Reading | None = None,
        notifiers: Sequence[Notifier] = (),
        asking: Asking | None = None,
    ) -> None:
        self._journal = journal
        self._catalog = catalog
        self._clock = clock
        self._claims = Claims()
        self._holds: dict[IncidentId, datetime] = {}
        self._timer: Timer | None = None
        self._ready = "not started"
        self._outbox = Outbox(journal=journal, catalog=catalog, clock=clock, notifiers=notifiers)
        self._reception = Reception(
            journal=journal,
            catalog=catalog,
            clock=clock,
            reading=reading or Reading(),
            woken=self.wake,
            truncated=self._want_more,
        )
        tools = Tools(
            journal=journal,
            catalog=catalog,
            clock=clock,
            claims=self._claims,
            wake=self.wake,
            wake_at=self._wake_at,
        )
        self._remediation = Remediation(tools)
        self._catch_up = self._make_catch_up(asking) if asking else None
        self._crew: Crew[IncidentId] = Crew(self._work, clock=clock)
        self._bell: Crew[IncidentId] = Crew(self._toll, clock=clock)

    @property
    def ready(self) -> str:
        """Why it is not ready to accept alerts; '' when it is."""
        return self._ready

    async def deliver(self, body: bytes) -> int:
        """Durable when it returns a number. TimelineError or UnavailableError: send it again."""
        return await self._reception.deliver(body)

    async def accept(self, groups: Groups) -> Receipt:
        """Sorted and durable when it returns, and all deliveries before it are as well."""
        return await self._reception.accept(groups)

    def wake(self, incident: IncidentId) -> None:
        """Something has changed for this incident. Never waits."""
        self._crew.wake(incident)
        self._outbox.wake(incident)

    def see(self, entry: Entry, incident: Incident) -> None:
        """Every durable entry may have to be told (this is an Observer of the journal)."""
        self._outbox.wake(incident.id)
        match entry.event:
            case PlaybookMatched():
                self._arm(incident.id)  # deadlines count from now, however long the walk takes
            case AlertsReceived():
                self._crew.wake(incident.id)  # also where the record was doubtful and found later
            case _:
                return

    def ring(self, incident: IncidentId) -> None:
        """A timer rang for this incident."""
        self._holds.pop(incident, None)
        self._bell.wake(incident)

    async def restore(self) -> None:
        """Every unfinished incident goes through the one door again, where it was left."""
        unfinished = await self._journal.restore()
        known = [one for one in map(self._journal.get, unfinished) if one is not None]
        self._claims.restore(known)
        for incident in unfinished:
            self.wake(incident)
            self._bell.wake(incident)
        self._ready = ""

    async def run(self, timer: Timer) -> None:
        """Work until cancelled."""
        self._timer = timer
        if self._ready:
            await self.restore()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._crew.run())
            group.create_task(self._bell.run())
            group.create_task(self._outbox.run())
            group.create_task(self._reception.run())
            group.create_task(self._forget())
            if self._catch_up:
                group.create_task(self._catch_up.run())

    def _want_more(self) -> None:
        if self._catch_up:
            self._catch_up.want()

    async def _work(self, incident_id: IncidentId) -> None:
        try:
            await self._remediation.advance(incident_id)
        except TimelineError:
            raise  # nothing can be recorded, so nothing can be said either
        except Exception as error:
            await self._call_for_help(incident_id, error)
            raise  # to be logged, and tried again
        finally:
            self._arm(incident_id)

    async def _call_for_help(self, incident_id: IncidentId, error: Exception) -> None:
        """A fault of our own must not leave an alert to nobody."""
        incident = self._journal.get(incident_id)
        playbook = self._catalog.playbook_of(incident) if incident else None
        reason = f"a fault in healer itself: {type(error).__name__}: {error}"
        escalated = Escalated(reason=reason, to=playbook.escalate.to if playbook else ())
        await self._journal.record(incident_id, escalated, unless=_is_out_of_hands)

    async def _toll(self, incident_id: IncidentId) -> None:
        """Deadlines do not wait for a step or a verification that is under way."""
        incident = self._journal.get(incident_id)
        playbook = self._catalog.playbook_of(incident) if incident else None
        if incident is not None and playbook is not None:
            for alarm, at in self._alarms(incident, playbook):
                if at <= self._clock.now():
                    await self._rang(incident, playbook, alarm)
        self._arm(incident_id)
        self._crew.wake(incident_id)

    async def _rang(self, incident: Incident, playbook: Playbook, alarm: Alarm) -> None:
        match alarm:
            case Alarm.UPDATE:
                await self._journal.record(incident.id, AlarmRang(alarm=alarm), unless=_is_closed)
            case Alarm.ESCALATE:
                at_most = playbook.escalate.after or timedelta()
                reason = f"not healed after {format_duration(at_most)}"
                escalated = Escalated(reason=reason, to=playbook.escalate.to)
                rang = AlarmRang(alarm=alarm)
                await self._journal.record(incident.id, rang, escalated, unless=_is_settled)
            case Alarm.WATCH:
                return  # the walk itself looks whether the watch is over

    def _alarms(self, incident: Incident, playbook: Playbook) -> Sequence[tuple[Alarm, datetime]]:
        return tuple(alarms(incident, verify=playbook.verify, escalate=playbook.escalate))

    def _wake_at(self, incident: IncidentId, at: datetime) -> None:
        self._holds[incident] = at

    def _arm(self, incident_id: IncidentId) -> None:
        """Set the timer to the next moment that matters; one that is past rings at once."""
        if self._timer is None:
            return
        incident, now = self._journal.get(incident_id), self._clock.now()
        playbook = self._catalog.playbook_of(incident) if incident else None
        moments: list[datetime] = []
        if incident is not None and playbook is not None:
            moments += [
                at
                for alarm, at in self._alarms(incident, playbook)
                if alarm is not Alarm.WATCH or at > now  # the walk looks at that one itself
            ]
        if incident is None or incident.closed:
            self._holds.pop(incident_id, None)
        elif hold := self._holds.get(incident_id):
            moments.append(hold)
        self._timer.set(incident_id, min(moments, default=None))

    def _make_catch_up(self, asking: Asking) -> CatchUp:
        return CatchUp(
            asking=asking,
            known=lambda: [
                alert
                for incident in self._journal.all()
                if incident.closed is None
                for alert in incident.firing
            ],
            accept=self._reception.accept,
            clock=self._clock,
        )

    async def _forget(self) -> None:
        while True:
            await self._clock.sleep(timedelta(minutes=10))
            self._journal.forget_old()


def _is_closed(incident: Incident) -> bool:
    return incident.closed is not None


def _is_out_of_hands(incident: Incident) -> bool:
    return incident.closed is not None or incident.escalated is not None


def _is_settled(incident: Incident) -> bool:
    """Healed, closed or escalated while the deadline rang."""
    return incident.healed is not None or _is_out_of_hands(incident)
