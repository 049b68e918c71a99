"""Everything is told once, whatever the channel does."""

import asyncio
from dataclasses import replace

import pytest

from healer.model.event import NoticeDropped
from tests.fakes.channel import FakeChannel
from tests.fakes.house import PLAYBOOK, House, alert, group

pytestmark = pytest.mark.looptime


async def heal(house: House) -> None:
    await house.accept([group(alert())])
    await asyncio.sleep(120)
    await house.accept([group(alert(resolved=True))])
    await asyncio.sleep(3600)


async def test_every_line_is_told_once_and_then_the_incident_is_archived() -> None:
    channel = FakeChannel()
    async with House(notifiers=[channel]).life() as house:
        await heal(house)
        assert house.incident.archived
        told = [seq for _, seq in channel.told]
        assert told == sorted(set(told))


async def test_a_channel_that_is_away_is_told_when_it_is_back_and_holds_up_nothing() -> None:
    channel = FakeChannel(away=5)
    async with House(notifiers=[channel]).life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(0.5)
        assert house.disk.effects
        assert channel.told == []
        await asyncio.sleep(600)
        assert channel.told


async def test_a_lost_answer_is_looked_up_and_nothing_is_told_twice() -> None:
    channel = FakeChannel(loses_answers=3)
    async with House(notifiers=[channel]).life() as house:
        await heal(house)
        assert channel.unsure >= 3
        assert len(channel.told) == len(set(channel.told))
        assert house.incident.archived


async def test_a_refusal_for_good_is_written_down_with_its_reason() -> None:
    channel = FakeChannel(refuses=True)
    async with House(notifiers=[channel]).life() as house:
        await heal(house)
        dropped = [one for one in await house.events() if isinstance(one, NoticeDropped)]
        assert dropped[0].reason == "channel_not_found"
        assert house.incident.archived


async def test_one_channel_away_does_not_silence_the_other() -> None:
    away, here = FakeChannel("away", away=10_000), FakeChannel("here")
    async with House(notifiers=[away, here]).life() as house:
        await heal(house)
        assert away.told == []
        assert here.told
        assert not house.incident.archived


async def test_a_channel_away_for_many_incidents_does_not_silence_the_other() -> None:
    away, here = FakeChannel("away", away=10**9), FakeChannel("here")
    playbook = replace(PLAYBOOK, target="production/pod/{{ alert.labels.pod }}")
    async with House(notifiers=[away, here], playbooks=[playbook]).life() as house:
        await house.accept([group(*(alert(pod=f"p{number}") for number in range(40)))])
        await asyncio.sleep(600)
        assert len({incident for incident, _ in here.told}) == 40
