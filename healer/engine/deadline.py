"""When to look at an incident again though nothing happens. Folded: a restart re-arms it."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Protocol

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger

from healer.model.event import Alarm, IncidentId
from healer.model.incident import Incident
from healer.model.playbook import Escalate, Verify


class Timer(Protocol):
    """Rings once for an incident. Setting it again replaces what was set."""

    def set(self, incident: IncidentId, at: datetime | None) -> None:
        """Ring at that moment; None: not at all."""
        ...


class ScheduledTimer:
    """A timer upon APScheduler, in memory: what it forgets is folded from the timeline anew."""

    def __init__(self, ring: Callable[[IncidentId], None]) -> None:
        self._ring = ring
        self._scheduler: Any = AsyncIOScheduler(timezone="UTC")

    def start(self) -> None:
        """From now on it rings; needs a running loop."""
        self._scheduler.start()

    def stop(self) -> None:
        """It rings no more."""
        self._scheduler.shutdown(wait=False)

    def set(self, incident: IncidentId, at: datetime | None) -> None:
        """Ring at that moment; None: not at all. A moment that has passed rings at once."""
        if at is None:
            if self._scheduler.get_job(incident):
                self._scheduler.remove_job(incident)
            return
        self._scheduler.add_job(
            self._ring_soon,
            DateTrigger(at),
            args=(incident,),
            id=incident,
            replace_existing=True,
            misfire_grace_time=None,
        )

    async def _ring_soon(self, incident: IncidentId) -> None:
        self._ring(incident)


def alarms(
    incident: Incident, *, verify: Verify, escalate: Escalate
) -> Iterable[tuple[Alarm, datetime]]:
    """Every deadline of the incident that still lies ahead of its story, due or not.

    A rehearsal has none: nobody waits for a cure that nobody gives.
    """
    if incident.closed or incident.rehearsed or incident.opened_at is None:
        return
    if incident.healed_at:
        yield Alarm.WATCH, incident.healed_at + verify.watch
        return
    if escalate.after and not incident.escalated:
        yield Alarm.ESCALATE, incident.opened_at + escalate.after
    last = incident.rang.get(Alarm.UPDATE, incident.opened_at)
    yield Alarm.UPDATE, last + escalate.update_every
