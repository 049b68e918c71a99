"""A notice tells of a state: lines that came after that state belong to the next notice."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from healer.engine.journal import Journal
from healer.model.event import AlertsReceived, Entry, IncidentId
from healer.notify.contract import Notice
from healer.timeline.memory import MemoryTimeline
from tests.fakes.house import House, alert, group

pytestmark = pytest.mark.looptime


@dataclass
class Attentive:
    """A channel that keeps every notice."""

    channel: str = "attentive"
    notices: list[Notice] = field(default_factory=list[Notice])

    def concerns(self, notice: Notice) -> bool:
        return True

    async def notify(self, notice: Notice) -> str:
        self.notices.append(notice)
        return "ref"


class BusyTimeline(MemoryTimeline):
    """While the outbox reads, another delivery arrives."""

    journal: Journal | None = None

    async def read(self, incident: IncidentId, *, after: int = 0) -> Sequence[Entry]:
        journal, self.journal = self.journal, None
        if journal is not None:
            late = AlertsReceived(alerts=(alert(pod="late"),), group=group().key)
            await journal.record(incident, late)
        return await super().read(incident, after=after)


async def test_a_notice_holds_no_line_that_its_incident_does_not_know_of() -> None:
    timeline, channel = BusyTimeline(), Attentive()
    house = House(timeline=timeline, notifiers=[channel])
    async with house.life():
        timeline.journal = house.journal
        await house.accept([group(alert())])
        await asyncio.sleep(120)
        told = [one.seq for notice in channel.notices for one in notice.entries]
        for notice in channel.notices:
            assert notice.through <= notice.incident.seq
            known = set(notice.incident.alerts)
            arrived = [one.event for one in notice.entries if isinstance(one.event, AlertsReceived)]
            assert {each.fingerprint for event in arrived for each in event.alerts} <= known
        assert told == sorted(set(told))
        assert alert(pod="late").fingerprint in house.incident.alerts
