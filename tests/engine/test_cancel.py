"""An operator takes over while a step is under way: how it ended is still written, and told."""

import asyncio
from dataclasses import replace

import pytest

from healer.model.event import Archived, Closed, Event, StepFinished
from healer.model.outcome import Result
from healer.timeline.memory import MemoryTimeline
from tests.fakes.channel import FakeChannel
from tests.fakes.clock import LoopClock
from tests.fakes.disk import Disk
from tests.fakes.house import PLAYBOOK, House, alert, group

pytestmark = pytest.mark.looptime


async def cancelled_midway(house: House) -> None:
    """The step has begun, and somebody takes over."""
    await house.accept([group(alert())])
    await asyncio.sleep(1)
    assert house.incident.run.in_flight is not None
    await house.desk.cancel(house.incident.id, by="ada", reason="mine")
    await asyncio.sleep(1)


def check_order(events: list[type[Event]]) -> None:
    kept = [one for one in events if one in (Closed, StepFinished, Archived)]
    assert kept == [Closed, StepFinished, Archived]


async def test_the_end_of_a_step_is_written_and_told_before_its_incident_is_archived() -> None:
    channel = FakeChannel()
    async with House(disk=Disk(takes=20), notifiers=[channel]).life() as house:
        await cancelled_midway(house)
        assert not house.incident.archived
        await asyncio.sleep(60)
        entries = await house.entries()
        check_order([type(one.event) for one in entries])
        (line,) = (one.seq for one in entries if isinstance(one.event, StepFinished))
        assert (house.incident.id, line) in channel.told
        assert len(house.disk.effects) == 1


@pytest.mark.parametrize("known", [True, False], ids=["same playbook", "playbook gone"])
async def test_a_step_that_a_crash_cut_off_is_settled_though_its_incident_was_cancelled(
    known: bool,
) -> None:
    timeline, clock, disk = MemoryTimeline(), LoopClock(), Disk(takes=20)
    async with House(disk=disk, timeline=timeline, notifiers=[FakeChannel()]).life(
        clock=clock
    ) as house:
        await cancelled_midway(house)
    playbooks = [PLAYBOOK] if known else [replace(PLAYBOOK, digest="ba9876543210")]
    async with House(
        disk=disk, timeline=timeline, playbooks=playbooks, notifiers=[FakeChannel()]
    ).life(clock=clock) as house:
        await asyncio.sleep(60)
        events = await house.events()
        check_order([type(one) for one in events])
        (finished,) = (one for one in events if isinstance(one, StepFinished))
        expected = Result.FAILED if known else Result.ABANDONED
        assert (finished.settled, finished.outcome.result) == (True, expected)
        assert disk.effects == []
