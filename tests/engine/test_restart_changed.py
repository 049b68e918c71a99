"""The configuration is another after the restart: playbooks changed or gone, or a rehearsal."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from healer.model.event import Ending, Escalated
from healer.model.incident import IncidentState
from healer.model.outcome import Decision
from healer.model.playbook import Mode, StepId, Undo
from healer.timeline.memory import MemoryTimeline
from tests.fakes.channel import FakeChannel
from tests.fakes.clock import LoopClock
from tests.fakes.disk import Disk, FakeGuard
from tests.fakes.house import FREE, PLAYBOOK, House, alert, group, with_steps

pytestmark = pytest.mark.looptime

OTHER = replace(PLAYBOOK, name="OTHER", match=((replace(PLAYBOOK.match[0][0], value="DiskSlow"),),))


async def test_a_restart_as_rehearsal_changes_nothing_though_the_incident_began_in_earnest() -> (
    None
):
    timeline, clock, disk = MemoryTimeline(), LoopClock(), Disk()
    held = FakeGuard(says=[Decision.HOLD] * 1000)
    async with House(timeline=timeline, disk=disk, guard=held).life(clock=clock) as house:
        await house.accept([group(alert())])
        await asyncio.sleep(5)
    async with House(timeline=timeline, disk=disk, dry_run=True).life(clock=clock) as house:
        await asyncio.sleep(600)
        assert disk.effects == []
        assert house.is_in(IncidentState.REHEARSED)


async def test_a_restart_in_earnest_after_a_rehearsal_takes_the_alert_up_anew() -> None:
    timeline, clock, disk = MemoryTimeline(), LoopClock(), Disk()
    async with House(timeline=timeline, disk=disk, dry_run=True).life(clock=clock) as house:
        await house.accept([group(alert())])
        await asyncio.sleep(7200)
        assert house.is_in(IncidentState.REHEARSED)
    async with House(timeline=timeline, disk=disk).life(clock=clock) as house:
        await asyncio.sleep(5)
        await house.accept([group(alert())])
        await asyncio.sleep(60)
        first, second = house.incidents
        assert first.closed is not None
        assert first.closed.ending is Ending.REHEARSED
        assert second.healed is not None
        assert len(disk.effects) == 1


@pytest.mark.parametrize("undo", [Undo.ON_FAILURE, Undo.AFTERWARDS])
async def test_a_restart_as_rehearsal_takes_nothing_back(undo: Undo) -> None:
    timeline, clock = MemoryTimeline(), LoopClock()
    disk = Disk(cures=1 if undo is Undo.ON_FAILURE else 50)
    playbooks = [with_steps(replace(FREE, undo=undo))]
    first = House(timeline=timeline, disk=disk, playbooks=playbooks)
    async with first.life(clock=clock) as house:
        await house.accept([group(alert())])
        await asyncio.sleep(60)
    async with House(timeline=timeline, disk=disk, playbooks=playbooks, dry_run=True).life(
        clock=clock
    ) as house:
        await house.accept([group(alert(resolved=True))])
        await asyncio.sleep(7200)
        assert len(disk.effects) == 1


async def test_an_approval_is_not_carried_over_to_another_version_of_the_playbook() -> None:
    timeline, clock, disk = MemoryTimeline(), LoopClock(), Disk()
    asking = replace(PLAYBOOK, mode=Mode.APPROVE)
    async with House(timeline=timeline, disk=disk, playbooks=[asking]).life(clock=clock) as house:
        await house.accept([group(alert())])
        await asyncio.sleep(5)
        disk.away = 10**9  # it cannot look, so it does not act upon the approval at once
        await house.desk.approve(house.incident.id, by="ada")
        await asyncio.sleep(5)
    disk.away = 0
    steps = with_steps(FREE, replace(FREE, id=StepId("second")), playbook=asking)
    newer = replace(steps, digest="ba9876543210")
    async with House(timeline=timeline, disk=disk, playbooks=[newer]).life(clock=clock) as house:
        await asyncio.sleep(60)
        assert disk.effects == []
        assert house.is_in(IncidentState.ASKING)


async def test_a_renamed_branch_in_another_version_is_chosen_anew() -> None:
    timeline, clock, disk = MemoryTimeline(), LoopClock(), Disk()
    held = FakeGuard(says=[Decision.HOLD] * 1000)
    async with House(timeline=timeline, disk=disk, guard=held).life(clock=clock) as house:
        await house.accept([group(alert())])
        await asyncio.sleep(5)
    remedy = replace(PLAYBOOK.remedies[0], name="make-more-room")
    newer = replace(PLAYBOOK, remedies=(remedy,), digest="ba9876543210")
    async with House(timeline=timeline, disk=disk, playbooks=[newer]).life(clock=clock) as house:
        await asyncio.sleep(120)
        assert len(disk.effects) == 1
        assert house.incident.escalated is None


async def test_an_incident_whose_playbook_is_gone_does_not_keep_its_target() -> None:
    timeline, clock, disk = MemoryTimeline(), LoopClock(), Disk(cures=0)
    first = House(timeline=timeline, disk=disk, playbooks=[PLAYBOOK, OTHER])
    async with first.life(clock=clock) as house:
        await house.accept([group(alert())])
        await asyncio.sleep(20)
        assert len(disk.effects) == 1
    async with House(timeline=timeline, disk=disk, playbooks=[OTHER]).life(clock=clock) as house:
        await house.accept([group(alert("DiskSlow"))])
        await asyncio.sleep(60)
        assert len(disk.effects) == 2


async def test_people_hear_of_an_incident_whose_service_is_gone_from_the_configuration() -> None:
    timeline, clock, channel = MemoryTimeline(), LoopClock(), FakeChannel()
    held = FakeGuard(says=[Decision.HOLD] * 1000)
    async with House(timeline=timeline, guard=held, notifiers=[channel]).life(clock=clock) as house:
        await house.accept([group(alert())])
        await asyncio.sleep(5)
    async with House(timeline=timeline, services=(), notifiers=[channel]).life(
        clock=clock
    ) as house:
        await asyncio.sleep(60)
        entries = await house.entries()
        (line,) = (one.seq for one in entries if isinstance(one.event, Escalated))
        assert channel.told.count((house.incident.id, line)) == 1


@pytest.mark.parametrize("gone", ["service", "playbook", "matcher"])
async def test_an_alert_that_leads_nowhere_any_more_still_closes_its_incident(gone: str) -> None:
    timeline, clock = MemoryTimeline(), LoopClock()
    held = FakeGuard(says=[Decision.HOLD] * 1000)
    async with House(timeline=timeline, guard=held).life(clock=clock) as house:
        await house.accept([group(alert())])
        await asyncio.sleep(5)
    changed = {
        "service": House(timeline=timeline, guard=held, services=()),
        "playbook": House(timeline=timeline, guard=held, playbooks=()),
        "matcher": House(
            timeline=timeline, guard=held, playbooks=[replace(OTHER, name=PLAYBOOK.name), OTHER]
        ),
    }
    async with changed[gone].life(clock=clock) as house:
        await asyncio.sleep(60)
        await house.accept([group(alert(resolved=True))])
        await asyncio.sleep(60)
        assert house.incident.closed is not None
        assert house.incident.closed.ending is Ending.RESOLVED
        again = await house.accept([group(alert(resolved=True))])
        assert (again.opened, again.resolved) == (0, 0)


async def test_a_newer_playbook_after_the_cure_calls_nobody_and_ends_the_watch() -> None:
    timeline, clock, disk = MemoryTimeline(), LoopClock(), Disk()
    async with House(timeline=timeline, disk=disk).life(clock=clock) as house:
        await house.accept([group(alert())])
        await asyncio.sleep(120)
        await house.accept([group(alert(resolved=True))])
    newer = replace(PLAYBOOK, digest="ba9876543210")
    async with House(timeline=timeline, disk=disk, playbooks=[newer]).life(clock=clock) as house:
        await asyncio.sleep(timedelta(hours=1).total_seconds())
        assert not [one for one in await house.events() if isinstance(one, Escalated)]
        assert house.incident.closed is not None
        assert house.incident.closed.ending is Ending.HEALED
