"""Between two steps much time may pass: what is done then rests on a new look, not the old one."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from healer.model.event import Diagnosed, Verified
from healer.model.incident import IncidentState
from healer.model.playbook import Playbook, StepId
from healer.timeline.memory import MemoryTimeline
from tests.fakes.clock import LoopClock
from tests.fakes.disk import Disk
from tests.fakes.house import FREE, PLAYBOOK, House, alert, group, with_steps

pytestmark = pytest.mark.looptime

SECOND = replace(FREE, id=StepId("second"))
TWO_STEPS = with_steps(FREE, SECOND)
DOWN_FOR = 900


async def paused_midway(house: House) -> None:
    """The first step is done, and an operator says stop."""
    await house.accept([group(alert())])
    await asyncio.sleep(1)
    await house.desk.pause(by="ada", reason="a release")
    await asyncio.sleep(600)
    assert len(house.disk.effects) == 1


def slow() -> Disk:
    """Each step takes a while, so that there is a moment to say stop."""
    return Disk(takes=5, cures=1)


async def test_what_is_gone_when_a_run_may_go_on_is_left_alone_and_verified() -> None:
    async with House(disk=slow(), playbooks=[TWO_STEPS]).life() as house:
        await paused_midway(house)
        house.disk.free = 100
        await house.desk.resume(by="ada")
        await asyncio.sleep(120)
        assert len(house.disk.effects) == 1
        assert house.is_in(IncidentState.WATCHING)
        events = await house.events()
        seen = [(one.moment, one.healed) for one in events if isinstance(one, Verified)]
        assert seen == [("before", False), ("before", True), ("after", True)]


async def test_what_is_still_there_is_treated_further_upon_the_new_findings() -> None:
    playbook = with_steps(FREE, replace(SECOND, params={"amount": "{{ checks.free.value }}"}))
    async with House(disk=slow(), playbooks=[playbook]).life() as house:
        await paused_midway(house)
        house.disk.free = 9
        await house.desk.resume(by="ada")
        await asyncio.sleep(15)
        assert len(house.disk.effects) == 2
        begun = house.incident.run.started[-1]
        assert (begun.step, begun.params["amount"]) == ("second", 9)
        looks = [one for one in await house.events() if isinstance(one, Diagnosed)]
        assert len(looks) == 2, "once, however long the pause was"


async def test_while_it_cannot_look_it_does_not_go_on_and_says_so_once() -> None:
    async with House(disk=slow(), playbooks=[TWO_STEPS]).life() as house:
        await paused_midway(house)
        house.disk.away = 10**9
        await house.desk.resume(by="ada")
        before = len(await house.events())
        await asyncio.sleep(200)
        assert len(house.disk.effects) == 1
        assert len(await house.events()) == before + 1
        judged = house.incident.run.judged
        assert judged is not None
        assert "cannot be seen" in judged.verdicts[0].reason
        house.disk.away = 0
        await asyncio.sleep(30)
        assert len(house.disk.effects) == 2


async def test_what_has_become_urgent_meanwhile_calls_a_human() -> None:
    escalate = replace(PLAYBOOK.escalate, when="checks.free.value < 1.0")
    playbook = replace(TWO_STEPS, escalate=escalate)
    async with House(disk=slow(), playbooks=[playbook]).life() as house:
        await paused_midway(house)
        house.disk.free = 0.5
        await house.desk.resume(by="ada")
        await asyncio.sleep(60)
        assert len(house.disk.effects) == 1
        assert house.is_in(IncidentState.ESCALATED)


@pytest.mark.parametrize("gone", [True, False])
async def test_a_run_that_a_crash_cut_in_two_is_looked_at_anew(gone: bool) -> None:
    timeline, clock, disk = MemoryTimeline(), LoopClock(), slow()
    async with House(timeline=timeline, disk=disk, playbooks=[_patient()]).life(clock=clock) as h:
        await h.accept([group(alert())])
        await asyncio.sleep(7)
        assert (len(disk.effects), h.incident.run.in_flight) != (1, None), "amid the second step"
    await asyncio.sleep(DOWN_FOR)
    disk.free = 100 if gone else 6
    async with House(timeline=timeline, disk=disk, playbooks=[_patient()]).life(clock=clock) as h:
        await asyncio.sleep(60)
        assert len(disk.effects) == (1 if gone else 2)
        assert (await h.story()).count("Diagnosed") == 2


def _patient() -> Playbook:
    """Nobody is called for the time that healer was away."""
    return replace(TWO_STEPS, escalate=replace(PLAYBOOK.escalate, after=timedelta(hours=9)))
