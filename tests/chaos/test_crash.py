"""A crash is only a pause: die at every write of a walk, begin again, and compare the ends."""

import asyncio
from dataclasses import replace

import pytest

from healer.model.event import Closed, StepStarted
from healer.model.playbook import StepId
from healer.timeline.memory import MemoryTimeline
from tests.fakes.channel import FakeChannel
from tests.fakes.clock import LoopClock
from tests.fakes.disk import Disk
from tests.fakes.house import FREE, House, alert, group, with_steps
from tests.fakes.mortal import MortalTimeline

pytestmark = pytest.mark.looptime

TWO_STEPS = with_steps(FREE, replace(FREE, id=StepId("second")))
WRITES = 60


async def live(*, dies_at: int | None, written: bool, disk: Disk) -> tuple[House, FakeChannel]:
    """One walk to its end; the daemon dies once on the way, and Alertmanager repeats itself."""
    disk_timeline = MemoryTimeline()
    channel = FakeChannel()
    clock = LoopClock()
    mortal = MortalTimeline(inner=disk_timeline, dies_at=dies_at, written=written)
    first = House(disk=disk, timeline=mortal, playbooks=[TWO_STEPS], notifiers=[channel])
    async with first.life(clock=clock):
        await deliver(first, mortal)
        await until_dead_or_done(mortal, seconds=2400)
    second = House(disk=disk, timeline=disk_timeline, playbooks=[TWO_STEPS], notifiers=[channel])
    async with second.life(clock=clock):
        await second.accept([group(alert())])
        await asyncio.sleep(60)
        await second.accept([group(alert(resolved=True))])
        await asyncio.sleep(3600)
    return second, channel


async def deliver(house: House, mortal: MortalTimeline) -> None:
    """Deliver once; Alertmanager does not wait for the answer of a dead daemon."""
    dead = asyncio.ensure_future(mortal.dead.wait())
    answer = asyncio.ensure_future(house.accept([group(alert())]))
    await asyncio.wait({dead, answer}, return_when=asyncio.FIRST_COMPLETED)
    dead.cancel()
    answer.cancel()


async def until_dead_or_done(mortal: MortalTimeline, *, seconds: int) -> None:
    try:
        async with asyncio.timeout(seconds):
            await mortal.dead.wait()
    except TimeoutError:
        return


@pytest.mark.parametrize("written", [True, False], ids=["after the write", "before the write"])
@pytest.mark.parametrize("dies_at", range(1, WRITES))
async def test_dying_at_any_write_changes_neither_the_end_nor_the_effects(
    dies_at: int, written: bool
) -> None:
    disk = Disk()
    house, channel = await live(dies_at=dies_at, written=written, disk=disk)
    ids = sorted({key.split(".")[0] for key in disk.effects})
    assert len(ids) == 1
    assert disk.effects == [f"{ids[0]}.1.free", f"{ids[0]}.1.second"]
    events = await house.events(house.incidents[0].id)
    assert [type(event) for event in events].count(Closed) == 1
    assert len(channel.told) == len(set(channel.told)), "nothing is told twice"
    told = {seq for incident, seq in channel.told if incident == ids[0]}
    entries = await house.entries(house.incidents[0].id)
    own = {
        entry.seq
        for entry in entries
        if type(entry.event).__name__ not in ("NoticeStarted", "NoticeSent", "Archived")
    }
    assert own <= told, "everything is told"


async def test_the_walk_has_fewer_writes_than_are_tried() -> None:
    mortal = MortalTimeline(inner=MemoryTimeline())
    house = House(timeline=mortal, playbooks=[TWO_STEPS], notifiers=[FakeChannel()])
    async with house.life():
        await house.accept([group(alert())])
        await asyncio.sleep(60)
        await house.accept([group(alert(resolved=True))])
        await asyncio.sleep(3600)
        started = [one for one in await house.events() if isinstance(one, StepStarted)]
    assert len(started) == 2
    assert 20 < mortal.appends < WRITES
