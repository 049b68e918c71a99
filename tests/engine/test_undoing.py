"""What is taken back: when, in which order, how often it is tried, and who is told."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from healer.errors import PermanentError, TemporaryError
from healer.model.event import Ending
from healer.model.playbook import Undo
from tests.fakes.clock import START
from tests.fakes.disk import Disk
from tests.fakes.house import FREE, House, alert, group, with_steps

pytestmark = pytest.mark.looptime


async def test_what_did_not_heal_is_taken_back() -> None:
    playbook = with_steps(replace(FREE, undo=Undo.ON_FAILURE))
    async with House(disk=Disk(cures=1), playbooks=[playbook]).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(1800)
        key = house.incident.id
        assert house.disk.effects == [
            f"{key}.1.free",
            f"{key}.1.free.undo",
            f"{key}.2.free",
            f"{key}.2.free.undo",
        ]


async def test_what_was_only_lent_is_put_back_once_the_fault_has_stayed_away() -> None:
    playbook = with_steps(replace(FREE, undo=Undo.AFTERWARDS))
    async with House(playbooks=[playbook], disk=Disk(free=5, cures=100)).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(120)
        await house.accept([group(alert(resolved=True))])
        await asyncio.sleep(1000)
        assert len(house.disk.effects) == 1
        await asyncio.sleep(1000)
        key = house.incident.id
        assert house.disk.effects == [f"{key}.1.free", f"{key}.1.free.undo"]
        assert house.incident.closed is not None
        assert house.incident.closed.ending is Ending.HEALED


async def test_what_cannot_be_put_back_calls_a_human() -> None:
    playbook = with_steps(replace(FREE, undo=Undo.AFTERWARDS))
    async with House(playbooks=[playbook]).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(120)
        await house.accept([group(alert(resolved=True))])
        house.disk.fail = [PermanentError("not allowed")]
        await asyncio.sleep(3600)
        assert house.incident.escalated is not None
        assert "not allowed" in house.incident.escalated.reason


async def test_putting_back_is_tried_again_before_a_human_is_called() -> None:
    playbook = with_steps(replace(FREE, undo=Undo.AFTERWARDS))
    async with House(playbooks=[playbook], disk=Disk(free=5, cures=100)).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(120)
        await house.accept([group(alert(resolved=True))])
        house.disk.fail = [TemporaryError("busy"), TemporaryError("busy")]
        await asyncio.sleep(3600)
        key = house.incident.id
        assert house.disk.effects == [f"{key}.1.free", f"{key}.1.free.undo"]
        assert house.incident.escalated is None
        assert house.incident.closed is not None


@pytest.mark.parametrize("undo", [Undo.ON_FAILURE, Undo.AFTERWARDS])
async def test_what_can_never_be_taken_back_is_tried_three_times_and_a_human_is_told(
    undo: Undo,
) -> None:
    playbook = with_steps(replace(FREE, undo=undo))
    cures = 0 if undo is Undo.ON_FAILURE else 100
    async with House(playbooks=[playbook], disk=Disk(free=5, cures=cures)).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(5)
        house.disk.fail = [TemporaryError("busy") for _ in range(10)]
        if undo is Undo.AFTERWARDS:
            await asyncio.sleep(120)
            await house.accept([group(alert(resolved=True))])
        await asyncio.sleep(7200)
        assert len(house.disk.fail) == 7
        assert house.incident.escalated is not None
        assert "undo-free" in house.incident.escalated.reason
        assert len(house.disk.effects) == 1


async def test_what_two_rounds_lent_is_put_back_by_both_the_newest_first() -> None:
    playbook = with_steps(replace(FREE, undo=Undo.AFTERWARDS))
    async with House(playbooks=[playbook], disk=Disk(free=5, cures=100)).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(120)
        await house.accept([group(alert(resolved=True))])
        await asyncio.sleep(60)
        house.disk.free = 5
        await house.accept([group(alert(at=START + timedelta(seconds=200)))])
        await asyncio.sleep(120)
        assert len(house.disk.effects) == 2
        await house.accept([group(alert(at=START + timedelta(seconds=200), resolved=True))])
        await asyncio.sleep(7200)
        key = house.incident.id
        assert house.disk.effects[2:] == [f"{key}.2.free.undo", f"{key}.1.free.undo"]
        assert house.incident.closed is not None
        assert house.incident.closed.ending is Ending.HEALED
