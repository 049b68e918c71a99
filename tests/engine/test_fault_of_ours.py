"""What nobody foresaw, in checks, actions or healer itself, reaches a person, not only a log."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from healer.errors import PermanentError, TemporaryError, TimelineError
from healer.guard.contract import Plan
from healer.model.effect import Effect
from healer.model.event import Closed, Draft, Entry, Escalated, Event, Judged, StepFinished
from healer.model.incident import IncidentState
from healer.model.outcome import Decision, Result, Verdict
from healer.model.playbook import Undo
from healer.timeline.memory import MemoryTimeline
from tests.fakes.disk import Disk, FakeGuard, WordParams
from tests.fakes.house import FREE, PLAYBOOK, House, alert, group, with_steps

pytestmark = pytest.mark.looptime

PATIENT = with_steps(replace(FREE, attempts=5))
OTHER = replace(PLAYBOOK, name="OTHER", match=((replace(PLAYBOOK.match[0][0], value="DiskSlow"),),))


async def test_a_check_with_a_fault_is_a_finding_that_is_not_known() -> None:
    disk = Disk(faults={"look": KeyError("status")})
    async with House(disk=disk).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(20)
        assert house.is_in(IncidentState.HELD)
        findings = house.incident.run.findings
        assert findings is not None
        assert "KeyError" in findings[0].summary
        disk.faults.clear()
        await asyncio.sleep(60)
        assert len(disk.effects) == 1


async def test_an_action_with_a_fault_calls_a_human() -> None:
    disk = Disk(faults={"prepare": KeyError("status")})
    async with House(disk=disk).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(60)
        assert disk.effects == []
        assert house.incident.escalated is not None
        assert "KeyError" in house.incident.escalated.reason
        assert house.incident.escalated.to == ("lead",)


async def test_what_cannot_be_settled_for_a_fault_is_not_known_and_never_tried_again() -> None:
    disk = Disk(faults={"settle": KeyError("status")}, fail=[TemporaryError("connection lost")])
    house = House(disk=disk, playbooks=[PATIENT], effect=Effect.DISRUPTIVE)
    async with house.life():
        await house.accept([group(alert())])
        await asyncio.sleep(60)
        finished = [one for one in await house.events() if isinstance(one, StepFinished)]
        assert [one.outcome.result for one in finished] == [Result.ABANDONED]
        assert house.incident.escalated is not None


@dataclass
class Yesterday(FakeGuard):
    """Says that it may be asked again at a moment that is over."""

    async def judge(self, params: WordParams, plan: Plan, *, now: datetime) -> Verdict:
        self.asked.append("run")
        until = now - timedelta(hours=1)
        return Verdict(guard=self.name, decision=Decision.HOLD, reason="later", until=until)


async def test_a_guard_that_names_a_moment_in_the_past_is_not_asked_in_a_spin() -> None:
    guard = Yesterday()
    async with House(guard=guard).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(60)
        assert 2 <= len(guard.asked) <= 70


@dataclass
class Choosy(MemoryTimeline):
    """Cannot write that something is not known, so many times."""

    times: int

    def __post_init__(self) -> None:
        super().__init__()

    async def append(self, drafts: Sequence[Draft], *, of: Sequence[int] = ()) -> Sequence[Entry]:
        if self.times and any(_is_hold(one.event) for one in drafts):
            self.times -= 1
            raise TimelineError("disk full")
        return await super().append(drafts, of=of)


def _is_hold(event: Event) -> bool:
    return isinstance(event, Judged) and event.decision is Decision.HOLD


async def test_a_record_that_fails_while_settling_is_not_taken_for_an_answer_of_the_world() -> None:
    timeline = Choosy(times=1)
    disk = Disk(fail=[TemporaryError("lost")], faults={"settle": TemporaryError("away")})
    house = House(timeline=timeline, disk=disk, playbooks=[PATIENT], effect=Effect.DISRUPTIVE)
    async with house.life():
        await house.accept([group(alert())])
        await asyncio.sleep(5)
        disk.faults.clear()
        await asyncio.sleep(120)
        assert house.incident.escalated is None
        assert len(disk.effects) == 1


async def test_nobody_is_called_for_an_incident_that_an_operator_closed_meanwhile() -> None:
    playbook = with_steps(replace(FREE, undo=Undo.AFTERWARDS))
    disk = Disk()
    async with House(playbooks=[playbook], disk=disk).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(120)
        await house.accept([group(alert(resolved=True))])
        disk.fail = [TemporaryError("lost")]
        disk.faults["settle"] = TemporaryError("away")
        await asyncio.sleep(1900)
        await house.desk.cancel(house.incident.id, by="ada", reason="mine")
        disk.fail, disk.faults = [PermanentError("not allowed")], {}
        await asyncio.sleep(600)
        story = [type(one) for one in await house.events()]
        assert Escalated not in story[story.index(Closed) :]


async def test_what_can_never_be_verified_does_not_keep_its_target_once_people_have_it() -> None:
    disk = Disk(cures=0)
    playbook = replace(PLAYBOOK, escalate=replace(PLAYBOOK.escalate, after=timedelta(minutes=10)))
    async with House(disk=disk, playbooks=[playbook, OTHER]).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(10)
        assert len(disk.effects) == 1
        disk.away = 10**9
        await asyncio.sleep(900)
        await house.accept([group(alert(resolved=True))])
        await asyncio.sleep(60)
        assert house.incident.closed is not None
        disk.away = 0
        await house.accept([group(alert("DiskSlow"))])
        await asyncio.sleep(60)
        assert len(disk.effects) == 2
