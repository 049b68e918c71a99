"""What is privileged: off until switched on, and approved by a person each time."""

import asyncio
from dataclasses import replace

import pytest

from healer.model.effect import Effect
from healer.model.incident import IncidentState
from healer.model.playbook import GuardSpec
from tests.fakes.house import SERVICE, House, alert, group

pytestmark = pytest.mark.looptime


async def test_what_is_privileged_is_never_done_without_a_person_whatever_the_mode() -> None:
    async with House(effect=Effect.PRIVILEGED).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(600)
        assert house.is_in(IncidentState.ASKING)
        assert house.disk.effects == []
        await house.desk.approve(house.incident.id, by="ada")
        await asyncio.sleep(60)
        assert len(house.disk.effects) == 1


@pytest.mark.parametrize("on", [True, False])
async def test_what_is_privileged_is_off_until_its_service_switches_it_on(*, on: bool) -> None:
    guards = (GuardSpec(guard="privileged"),)
    service = replace(SERVICE, privileged=frozenset({"disk.free"} if on else ()))
    house = House(effect=Effect.PRIVILEGED, house_guards=guards, services=(service,))
    async with house.life():
        await house.accept([group(alert())])
        await asyncio.sleep(60)
        assert house.disk.effects == []
        assert house.is_in(IncidentState.ASKING if on else IncidentState.ESCALATED)
        if not on:
            assert house.incident.escalated is not None
            assert "`privileged: [disk.free]`" in house.incident.escalated.reason
