"""Nothing is to be done, and yet the alert fires on: said once, and waited for the resolve."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from healer.model.event import Ending
from healer.model.incident import IncidentState
from healer.model.outcome import Decision
from healer.model.playbook import Escalate, Mode
from tests.fakes.channel import FakeChannel
from tests.fakes.disk import Disk, FakeGuard
from tests.fakes.house import PLAYBOOK, House, alert, group

pytestmark = pytest.mark.looptime


async def test_a_fault_that_is_gone_is_left_alone_until_the_alert_resolves() -> None:
    async with House(disk=Disk(free=100)).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(600)
        assert house.disk.effects == []
        assert house.is_in(IncidentState.OPEN)
        assert (await house.story()).count("Diagnosed") == 1, "said once, however often it looks"
        await house.accept([group(alert(resolved=True))])
        await asyncio.sleep(1)
        assert house.incident.closed is not None
        assert house.incident.closed.ending is Ending.RESOLVED
        assert "nothing was done" in house.incident.closed.reason


async def test_a_check_that_lagged_behind_the_alert_only_delays_the_cure() -> None:
    async with House(disk=Disk(free=100)).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(60)
        house.disk.free = 5.0
        await asyncio.sleep(120)
        assert len(house.disk.effects) == 1
        assert len(house.incidents) == 1
        assert house.is_in(IncidentState.WATCHING)


async def test_an_alert_that_goes_on_firing_without_a_fault_calls_a_human_in_the_end() -> None:
    playbook = replace(PLAYBOOK, escalate=Escalate(after=timedelta(minutes=10)))
    async with House(disk=Disk(free=100), playbooks=[playbook]).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(660)
        assert house.disk.effects == []
        assert house.is_in(IncidentState.ESCALATED)


async def test_what_cannot_be_seen_while_waiting_for_the_resolve_is_said_and_not_acted_upon() -> (
    None
):
    async with House(disk=Disk(free=100)).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(60)
        house.disk.away = 10**9
        await asyncio.sleep(60)
        assert house.is_in(IncidentState.HELD)
        house.disk.away = 0
        await asyncio.sleep(60)
        assert house.is_in(IncidentState.OPEN)
        assert house.disk.effects == []


@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.DRY_RUN])
async def test_what_goes_on_firing_is_rehearsed_once_and_closed_when_it_resolves(
    mode: Mode,
) -> None:
    channel = FakeChannel()
    playbook = replace(PLAYBOOK, mode=mode)
    async with House(playbooks=[playbook], notifiers=[channel]).life() as house:
        for _ in range(4):
            await house.accept([group(alert())])
            await asyncio.sleep(4 * 3600)
        assert len(house.incidents) == 1
        assert (await house.story()).count("Rehearsed") == 1
        assert house.incident.escalated is None
        told = len(channel.told)
        await house.accept([group(alert())])
        await asyncio.sleep(60)
        assert len(channel.told) == told, "nobody hears of it again"
        await house.accept([group(alert(resolved=True))])
        await asyncio.sleep(60)
        assert house.incident.closed is not None
        assert house.incident.closed.ending is Ending.REHEARSED


@pytest.mark.parametrize(("free", "seen"), [(5.0, True), (100.0, False)])
async def test_where_nothing_proves_that_what_resolved_is_healed_it_says_so(
    free: float, seen: bool
) -> None:
    guard = FakeGuard(says=[Decision.HOLD] * 100)
    async with House(guard=guard).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(5)
        house.disk.free = free
        await house.accept([group(alert(resolved=True))])
        await asyncio.sleep(1)
        assert house.incident.closed is not None
        assert house.incident.closed.ending is Ending.RESOLVED
        assert ("would prove it healed does not hold" in house.incident.closed.reason) is seen
        assert (f"{free:g} GB free" in house.incident.closed.reason) is seen


async def test_what_cannot_be_seen_when_its_alert_resolved_is_not_made_up() -> None:
    guard = FakeGuard(says=[Decision.HOLD] * 100)
    async with House(guard=guard).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(5)
        house.disk.away = 100
        await house.accept([group(alert(resolved=True))])
        await asyncio.sleep(1)
        assert house.incident.closed is not None
        assert house.incident.closed.reason == "the alert resolved before anything was done"


async def test_of_what_people_have_it_says_so_too() -> None:
    async with House(disk=Disk(cures=0)).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(1800)
        assert house.is_in(IncidentState.ESCALATED)
        await house.accept([group(alert(resolved=True))])
        await asyncio.sleep(1)
        assert house.incident.closed is not None
        assert "would prove it healed does not hold" in house.incident.closed.reason
