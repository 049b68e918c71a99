"""Who may touch a target, and when: pauses, claims, and the share of the fleet."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from healer.guard.budget import BudgetGuard
from healer.guard.contract import Plan
from healer.model.incident import IncidentState
from healer.model.outcome import Decision, Verdict
from healer.model.playbook import GuardSpec, Playbook, StepId, Undo
from tests.fakes.disk import Disk, FakeGuard, WordParams
from tests.fakes.house import FREE, PLAYBOOK, House, alert, group, with_steps

pytestmark = pytest.mark.looptime

OTHER = replace(PLAYBOOK, name="OTHER", match=((replace(PLAYBOOK.match[0][0], value="DiskSlow"),),))
LENT = with_steps(replace(FREE, undo=Undo.AFTERWARDS))


async def test_nothing_is_put_back_while_an_operator_has_paused_healer() -> None:
    async with House(playbooks=[LENT]).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(120)
        await house.accept([group(alert(resolved=True))])
        await house.desk.pause(by="ada", reason="my hands are on it")
        await asyncio.sleep(7200)
        assert len(house.disk.effects) == 1
        await house.desk.resume(by="ada")
        await asyncio.sleep(60)
        assert len(house.disk.effects) == 2
        assert house.incidents[0].state is IncidentState.CLOSED


async def test_nothing_is_taken_back_while_an_operator_has_paused_healer() -> None:
    playbook = with_steps(replace(FREE, undo=Undo.ON_FAILURE))
    async with House(playbooks=[playbook], disk=Disk(cures=1)).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(120)
        await house.desk.pause(by="ada", reason="my hands are on it")
        await asyncio.sleep(1800)
        assert len(house.disk.effects) == 1
        await house.desk.resume(by="ada")
        await asyncio.sleep(10)
        assert len(house.disk.effects) >= 2


async def test_nothing_is_put_back_while_another_remediation_works_on_the_target() -> None:
    verify = replace(PLAYBOOK.verify, timeout=timedelta(hours=1))
    other = replace(OTHER, verify=verify)
    async with House(playbooks=[LENT, other]).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(120)
        await house.accept([group(alert(resolved=True))])
        await asyncio.sleep(1500)
        house.disk.free, house.disk.cures = 5.0, 0.0
        await house.accept([group(alert("DiskSlow"))])
        await asyncio.sleep(1200)
        assert [key.endswith(".undo") for key in house.disk.effects] == [False, False]


@dataclass
class HalfWay(FakeGuard):
    """Lets everything begin, and nothing go beyond its first step."""

    async def judge(self, params: WordParams, plan: Plan, *, now: datetime) -> Verdict:
        second = plan.step is not None and plan.step.id == "second"
        decision = Decision.HOLD if second else Decision.ALLOW
        return Verdict(guard=self.name, decision=decision, reason="told to")


async def test_a_run_that_is_held_half_way_keeps_its_target() -> None:
    playbook = with_steps(FREE, replace(FREE, id=StepId("second")))
    disk = Disk(cures=0)
    house = House(playbooks=[playbook, OTHER], guard=HalfWay(), disk=disk)
    async with house.life():
        await house.accept([group(alert())])
        await asyncio.sleep(5)
        await house.accept([group(alert("DiskSlow"))])
        await asyncio.sleep(120)
        assert len(disk.effects) == 1


@dataclass
class House4(House):
    """A fleet of four, of which one at a time may be acted upon."""

    house_guards: tuple[GuardSpec, ...] = (
        GuardSpec(guard="fake"),
        GuardSpec(guard="budget", params={"fleet_share": 0.25}),
    )
    playbooks: Sequence[Playbook] = field(
        default_factory=lambda: [replace(PLAYBOOK, target="production/pod/{{ alert.labels.pod }}")]
    )


async def test_a_storm_does_not_act_upon_more_of_the_fleet_than_its_share() -> None:
    house = House4(disk=Disk(cures=0), budget=BudgetGuard(fleet=4))
    async with house.life():
        await house.accept([group(*(alert(pod=f"p{number}") for number in range(4)))])
        await asyncio.sleep(120)
        assert len(house.disk.effects) == 1
