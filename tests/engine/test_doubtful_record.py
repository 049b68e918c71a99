"""The record fails in every way it can: no alert is lost, and the daemon goes on."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from healer.errors import TimelineError, UnavailableError
from healer.model.alert import Alert
from healer.model.event import Draft, Entry, IncidentId
from healer.model.receipt import Receipt
from healer.timeline.memory import MemoryTimeline
from tests.fakes.house import PLAYBOOK, House, alert, group

pytestmark = pytest.mark.looptime


@dataclass
class DoubtfulTimeline(MemoryTimeline):
    """Writes, and then says that it could not; or is overloaded; for a while unreadable as well."""

    lies: int = 0
    unreadable: int = 0
    overloaded: int = 0
    lies_after: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    async def append(self, drafts: Sequence[Draft], *, of: Sequence[int] = ()) -> Sequence[Entry]:
        if self.overloaded:
            self.overloaded -= 1
            raise UnavailableError("overloaded")
        written = await super().append(drafts, of=of)
        if self.lies_after and written[-1].seq > self.lies_after:
            self.lies, self.lies_after = 1, 0
        if self.lies:
            self.lies -= 1
            raise TimelineError("input/output error")
        return written

    async def read(self, incident: IncidentId, *, after: int = 0) -> Sequence[Entry]:
        if self.unreadable:
            self.unreadable -= 1
            raise TimelineError("input/output error")
        return await super().read(incident, after=after)


async def test_an_overloaded_timeline_refuses_the_delivery_and_the_daemon_goes_on() -> None:
    async with House(timeline=DoubtfulTimeline(overloaded=1)).life() as house:
        async with asyncio.timeout(5):
            with pytest.raises(TimelineError, match="overloaded"):
                await house.accept([group(alert())])
            assert await house.accept([group(alert())]) == Receipt(opened=1)
        await asyncio.sleep(60)
        assert len(house.disk.effects) == 1


async def test_an_alert_that_was_written_though_the_disk_said_no_is_worked_on() -> None:
    async with House(timeline=DoubtfulTimeline(lies=1)).life() as house:
        with pytest.raises(TimelineError):
            await house.accept([group(alert())])
        assert await house.accept([group(alert())]) == Receipt(repeated=1)
        await asyncio.sleep(60)
        assert len(house.disk.effects) == 1


async def test_an_incident_that_only_the_disk_knows_does_not_stop_the_reception() -> None:
    timeline = DoubtfulTimeline(lies=1)
    async with House(timeline=timeline).life() as house:
        timeline.unreadable = 1
        with pytest.raises(TimelineError):
            await house.accept([group(alert())])
        async with asyncio.timeout(5):
            await house.accept([group(alert())])
        await asyncio.sleep(60)
        assert len(house.disk.effects) == 1


async def test_a_walk_goes_on_where_the_record_of_any_of_its_lines_was_doubtful() -> None:
    for after in range(2, 11):
        timeline = DoubtfulTimeline()
        async with House(timeline=timeline).life() as house:
            await house.accept([group(alert())])
            timeline.lies_after = after
            await asyncio.sleep(300)
            assert len(house.disk.effects) == 1, f"after line {after}"
            assert house.incident.healed


@dataclass(frozen=True, slots=True, kw_only=True)
class HostileAlert(Alert):
    """Whoever asks for its name meets a fault that nobody foresaw."""

    fault: Exception = field(default_factory=lambda: RecursionError("too deep"))

    @property
    def name(self) -> str:
        raise self.fault


async def test_a_delivery_that_breaks_the_sorting_is_refused_alone() -> None:
    own = alert("Unheard", pod="hostile")
    hostile = HostileAlert(
        fingerprint=own.fingerprint, status=own.status, labels=own.labels, starts_at=own.starts_at
    )
    async with House(playbooks=[replace(PLAYBOOK, name="DISK")]).life() as house:
        async with asyncio.timeout(5):
            answers = await asyncio.gather(
                house.accept([group(alert(pod="a"), hostile)]),
                house.accept([group(alert(pod="a"))]),
                house.accept([group(alert(pod="b"))]),
                return_exceptions=True,
            )
        assert isinstance(answers[0], TimelineError)
        assert list(answers[1:]) == [Receipt(opened=1), Receipt(joined=1)]
        assert await house.accept([group(alert(pod="c"))]) == Receipt(joined=1)
