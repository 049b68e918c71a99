"""The walk, stage by stage, in virtual time upon a small world."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from healer.errors import PermanentError, TemporaryError
from healer.model.effect import Effect
from healer.model.event import (
    Chosen,
    Ending,
    Escalated,
    Judged,
    StepFinished,
    Verified,
)
from healer.model.incident import IncidentState
from healer.model.outcome import Decision, Result
from healer.model.playbook import Escalate, Mode, StepId
from tests.fakes.clock import START
from tests.fakes.disk import Disk, FakeGuard
from tests.fakes.house import FREE, PLAYBOOK, House, alert, group, with_steps

pytestmark = pytest.mark.looptime


async def test_a_firing_alert_is_diagnosed_treated_verified_and_watched() -> None:
    async with House().life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(60)
        assert await house.story() == [
            "Opened",
            "AlertsReceived",
            "PlaybookMatched",
            "Diagnosed",
            "Verified",
            "Chosen",
            "Judged",
            "Judged",
            "StepStarted",
            "StepFinished",
            "Verified",
        ]
        assert house.is_in(IncidentState.WATCHING)
        assert house.disk.effects == [f"{house.incident.id}.1.free"]
        await house.accept([group(alert(resolved=True))])
        await asyncio.sleep(3600)
        assert house.incident.closed is not None
        assert house.incident.closed.ending is Ending.HEALED


async def test_healed_needs_the_condition_to_stay() -> None:
    async with House().life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(29)
        assert house.is_in(IncidentState.RUNNING)
        await asyncio.sleep(3)
        assert house.is_in(IncidentState.WATCHING)


async def test_a_cure_that_does_not_heal_is_tried_twice_and_then_a_human_is_called() -> None:
    async with House(disk=Disk(cures=0)).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(1800)
        assert len(house.disk.effects) == 2
        assert house.is_in(IncidentState.ESCALATED)
        assert house.incident.escalated is not None
        assert house.incident.escalated.to == ("lead",)


async def test_an_alert_that_resolves_before_anything_is_done_closes_the_incident() -> None:
    guard = FakeGuard(says=[Decision.HOLD] * 100)
    async with House(guard=guard).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(5)
        assert house.is_in(IncidentState.HELD)
        await house.accept([group(alert(resolved=True))])
        await asyncio.sleep(1)
        assert house.disk.effects == []
        assert house.incident.closed is not None
        assert house.incident.closed.ending is Ending.RESOLVED


async def test_a_hold_is_asked_again_and_what_was_found_is_looked_at_anew() -> None:
    guard = FakeGuard(says=[Decision.HOLD] * 4)
    async with House(guard=guard).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(300)
        story = await house.story()
        assert story.count("Diagnosed") == 2
        assert house.disk.effects
        holds = [
            event
            for event in await house.events()
            if isinstance(event, Judged) and event.decision is Decision.HOLD
        ]
        assert len(holds) == 1, "the same refusal is written once"


async def test_a_guard_that_fails_holds() -> None:
    async with House(guard=FakeGuard(breaks=True)).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(60)
        assert house.disk.effects == []
        judged = house.incident.run.judged
        assert judged is not None
        assert judged.decision is Decision.HOLD
        assert "the guard is broken" in judged.verdicts[-1].reason


async def test_a_denial_calls_a_human_with_the_reason() -> None:
    async with House(guard=FakeGuard(says=[Decision.DENY])).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(1)
        assert house.disk.effects == []
        assert house.incident.escalated is not None
        assert "told to deny" in house.incident.escalated.reason


async def test_guards_are_asked_for_the_run_and_again_before_every_step() -> None:
    playbook = with_steps(FREE, replace(FREE, id=StepId("again")))
    async with House(playbooks=[playbook]).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(60)
        assert house.guard.asked == ["run", "free", "again"]


async def test_an_approval_is_waited_for_and_then_the_evidence_is_looked_at_anew() -> None:
    playbook = replace(PLAYBOOK, mode=Mode.APPROVE)
    async with House(playbooks=[playbook]).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(600)
        assert house.is_in(IncidentState.ASKING)
        assert house.disk.effects == []
        await house.desk.approve(house.incident.id, by="ada")
        await asyncio.sleep(60)
        assert len(house.disk.effects) == 1
        assert (await house.story()).count("Diagnosed") == 2


async def test_a_person_who_says_no_ends_it() -> None:
    playbook = replace(PLAYBOOK, mode=Mode.APPROVE)
    async with House(playbooks=[playbook]).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(1)
        await house.desk.deny(house.incident.id, by="ada", reason="a release is running")
        await asyncio.sleep(60)
        assert house.disk.effects == []
        assert house.incident.escalated is not None
        assert "ada said no: a release is running" in house.incident.escalated.reason


async def test_a_dry_run_changes_nothing_and_says_what_it_would_have_done() -> None:
    async with House(dry_run=True).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(60)
        assert house.disk.effects == []
        finished = [one for one in await house.events() if isinstance(one, StepFinished)]
        assert [one.outcome.result for one in finished] == [Result.SKIPPED]
        assert finished[0].outcome.summary == "would free 50 GB"
        assert house.is_in(IncidentState.REHEARSED)


async def test_observing_chooses_and_does_nothing() -> None:
    playbook = replace(PLAYBOOK, mode=Mode.OBSERVE)
    async with House(playbooks=[playbook]).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(60)
        assert "StepStarted" not in await house.story()
        assert house.is_in(IncidentState.REHEARSED)


async def test_no_branch_that_fits_calls_a_human() -> None:
    playbook = replace(
        PLAYBOOK, remedies=(replace(PLAYBOOK.remedies[0], when="checks.free.value < 1.0"),)
    )
    async with House(playbooks=[playbook]).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(1)
        events = await house.events()
        assert (
            Chosen(remedy=None, because="no branch of the playbook fits what was found") in events
        )
        assert house.is_in(IncidentState.ESCALATED)


async def test_a_condition_that_cannot_be_evaluated_calls_a_human_and_is_never_false() -> None:
    playbook = replace(
        PLAYBOOK, remedies=(replace(PLAYBOOK.remedies[0], when="checks.free.nonsense > 1"),)
    )
    async with House(playbooks=[playbook]).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(1)
        assert house.incident.escalated is not None
        assert "could not decide" in house.incident.escalated.reason


async def test_while_it_cannot_see_it_holds_and_says_so_once_and_goes_on_when_it_can() -> None:
    async with House(disk=Disk(away=5)).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(20)
        assert house.is_in(IncidentState.HELD)
        assert house.disk.effects == []
        await asyncio.sleep(300)
        assert len(house.disk.effects) == 1
        assert house.is_in(IncidentState.WATCHING)
        assert (await house.story()).count("Diagnosed") == 2


async def test_a_step_that_fails_for_now_is_tried_again() -> None:
    playbook = with_steps(replace(FREE, attempts=3))
    disk = Disk(fail=[TemporaryError("busy"), TemporaryError("busy")])
    async with House(disk=disk, playbooks=[playbook]).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(60)
        assert len(disk.effects) == 1
        assert (await house.story()).count("StepStarted") == 3
        assert house.incident.healed is not None


async def test_a_step_that_fails_for_good_stops_the_run_and_calls_a_human() -> None:
    playbook = with_steps(FREE, replace(FREE, id=StepId("second")))
    disk = Disk(fail=[PermanentError("not allowed")])
    async with House(disk=disk, playbooks=[playbook]).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(60)
        assert disk.effects == []
        assert house.incident.escalated is not None
        assert "not allowed" in house.incident.escalated.reason


async def test_a_disruptive_step_whose_end_is_unknown_is_never_tried_again() -> None:
    playbook = with_steps(replace(FREE, attempts=5))
    disk = Disk(fail=[TemporaryError("connection lost")], silent=True)
    house = House(disk=disk, playbooks=[playbook], effect=Effect.DISRUPTIVE)
    async with house.life():
        await house.accept([group(alert())])
        await asyncio.sleep(600)
        assert (await house.story()).count("StepStarted") == 1
        assert house.incident.escalated is not None
        assert "is not known" in house.incident.escalated.reason


async def test_one_remediation_at_a_time_on_a_target() -> None:
    other = replace(
        PLAYBOOK,
        name="OTHER",
        match=((replace(PLAYBOOK.match[0][0], value="DiskSlow"),),),
    )
    async with House(playbooks=[PLAYBOOK, other]).life() as house:
        await house.accept([group(alert(), alert("DiskSlow"))])
        await asyncio.sleep(10)
        states = {one.key.playbook: one.state for one in house.incidents if one.key}
        assert states == {"DISK": IncidentState.RUNNING, "OTHER": IncidentState.HELD}
        await asyncio.sleep(120)
        assert len(house.disk.effects) == 1, "the second looked again, and the fault was gone"


async def test_a_run_that_takes_too_long_calls_a_human() -> None:
    playbook = replace(PLAYBOOK, escalate=Escalate(after=timedelta(minutes=10)))
    guard = FakeGuard(says=[Decision.HOLD] * 1000)
    async with House(playbooks=[playbook], guard=guard).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(599)
        assert house.incident.escalated is None
        await asyncio.sleep(20)
        assert any(isinstance(event, Escalated) for event in await house.events())


async def test_people_are_updated_every_quarter_of_an_hour() -> None:
    guard = FakeGuard(says=[Decision.HOLD] * 1000)
    async with House(guard=guard).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(3700)
        assert (await house.story()).count("AlarmRang") == 4


async def test_a_fault_that_comes_back_while_watched_begins_a_new_round() -> None:
    async with House().life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(120)
        house.disk.free = 5.0
        later = START + timedelta(seconds=100)
        await house.accept([group(alert(at=later))])
        await asyncio.sleep(120)
        assert len(house.disk.effects) == 2
        assert house.incident.run.number == 2
        verified = [one for one in await house.events() if isinstance(one, Verified)]
        assert [one.healed for one in verified] == [False, True, False, True]


async def test_a_pause_holds_everything_until_resumed() -> None:
    async with House().life() as house:
        await house.desk.pause(by="ada", reason="drill")
        await house.accept([group(alert())])
        await asyncio.sleep(600)
        assert house.disk.effects == []
        await house.desk.resume(by="ada")
        await asyncio.sleep(60)
        assert len(house.disk.effects) == 1


async def test_cancelling_lets_the_step_in_flight_end_and_does_nothing_more() -> None:
    async with House().life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(5)
        await house.desk.cancel(house.incident.id, by="ada", reason="mine")
        await asyncio.sleep(600)
        assert house.incident.closed is not None
        assert house.incident.closed.ending is Ending.CANCELLED
        assert len(house.disk.effects) == 1


async def test_a_deadline_does_not_wait_for_a_verification_that_is_under_way() -> None:
    verify = replace(PLAYBOOK.verify, timeout=timedelta(hours=1))
    playbook = replace(PLAYBOOK, verify=verify, escalate=Escalate(after=timedelta(minutes=10)))
    async with House(disk=Disk(cures=0), playbooks=[playbook]).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(601)
        assert house.incident.escalated is not None


async def test_a_further_attempt_takes_the_parameters_that_the_first_made_final() -> None:
    playbook = with_steps(replace(FREE, attempts=3))
    disk = Disk(fail=[TemporaryError("busy"), TemporaryError("busy")])
    async with House(disk=disk, playbooks=[playbook]).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(60)
        assert disk.prepared == [False, True, True]


async def test_a_world_that_names_a_time_is_left_alone_until_then() -> None:
    playbook = with_steps(replace(FREE, attempts=2))
    disk = Disk(fail=[TemporaryError("busy", retry_after=timedelta(seconds=25))])
    async with House(disk=disk, playbooks=[playbook]).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(24)
        assert disk.effects == []
        await asyncio.sleep(3)
        assert len(disk.effects) == 1
