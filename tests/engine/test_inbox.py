"""A delivery that was answered is never lost, and never sorted twice, whatever happens then."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from healer.engine.inbox import Inbox
from healer.engine.journal import Journal
from healer.errors import TimelineError, UnavailableError
from healer.intake.payload import parse
from healer.model.alert import AlertGroup
from healer.model.event import AlertsReceived, Draft, Entry
from healer.model.outcome import Decision
from healer.model.receipt import Receipt
from healer.timeline.memory import MemoryTimeline
from tests.fakes.clock import LoopClock
from tests.fakes.disk import FakeGuard
from tests.fakes.house import House, alert, body, group
from tests.fakes.mortal import MortalTimeline

pytestmark = pytest.mark.looptime


def held(**changes: object) -> House:
    guard = FakeGuard(says=[Decision.HOLD] * 100_000)
    return House(guard=guard, **changes)  # type: ignore[arg-type]  # its own fields


def pods(house: House) -> list[str]:
    return [one.labels["pod"] for one in house.incident.alerts.values()]


async def test_what_was_answered_is_sorted_by_the_next_life_if_this_one_dies_first() -> None:
    disk = MemoryTimeline()
    mortal = MortalTimeline(inner=disk, dies_at=2, written=False)
    async with House(timeline=mortal).life() as first:
        assert await first.desk.deliver(body(alert())) == 1
        await mortal.dead.wait()
    second = House(timeline=disk)
    async with second.life():
        await asyncio.sleep(60)
        assert len(second.disk.effects) == 1
        assert list(await disk.delivered()) == []


async def test_whoever_delivered_and_looks_then_finds_it() -> None:
    async with held().life() as house:
        await house.desk.deliver(body(alert()))
        page = await house.desk.incidents(limit=10)
        assert len(page.incidents) == 1


async def test_deliveries_are_sorted_in_their_order_and_before_what_comes_after_them() -> None:
    async with held().life() as house:
        async with asyncio.TaskGroup() as tasks:
            for number in range(300):
                tasks.create_task(house.desk.deliver(body(alert(pod=f"p{number}"))))
        receipt = await house.accept([group(alert(pod="p7"), alert(pod="last"))])
        assert receipt == Receipt(repeated=1, joined=1)
        assert pods(house) == [*(f"p{number}" for number in range(300)), "last"]
        assert sum(one.opened + one.joined for one in house.receipts) == 300


async def test_deliveries_that_arrive_together_share_one_append() -> None:
    timeline = MortalTimeline(inner=MemoryTimeline())
    async with held(timeline=timeline).life() as house:
        async with asyncio.TaskGroup() as tasks:
            for number in range(200):
                tasks.create_task(house.desk.deliver(body(alert(pod=f"p{number}"))))
        await house.accept([])
        received = [one for one in await house.events() if isinstance(one, AlertsReceived)]
        assert len(received) == 200
        assert timeline.appends < 200 + 20


@dataclass
class Stubborn(MemoryTimeline):
    """Keeps deliveries, but for a while cannot append; `lies`: it did, and says it did not."""

    refuses: int = 0
    lies: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    async def append(self, drafts: Sequence[Draft], *, of: Sequence[int] = ()) -> Sequence[Entry]:
        if not self.refuses:
            return await super().append(drafts, of=of)
        self.refuses -= 1
        if self.lies:
            await super().append(drafts, of=of)
        raise TimelineError("disk full")


@pytest.mark.parametrize("lies", [True, False], ids=["written all the same", "not written"])
async def test_deliveries_wait_on_disk_until_their_lines_can_be_written(lies: bool) -> None:
    async with House(timeline=Stubborn(refuses=3, lies=lies)).life() as house:
        for pod in ("a", "b"):
            await house.desk.deliver(body(alert(pod=pod)))
        await asyncio.sleep(60)
        assert pods(house) == ["a", "b"]
        assert len(house.disk.effects) == 1
        assert list(await house.timeline.delivered()) == []


async def test_a_delivery_that_breaks_the_sorting_is_kept_and_hinders_nobody() -> None:
    broken = True

    def fragile(given: bytes) -> AlertGroup:
        if broken and b"hostile" in given:
            raise ZeroDivisionError
        return parse(given)

    async with held(parse=fragile).life() as house:
        for pod in ("a", "hostile", "b"):
            await house.desk.deliver(body(alert(pod=pod)))
        await asyncio.sleep(1)
        assert pods(house) == ["a", "b"]
        broken = False
        await asyncio.sleep(180)
        assert pods(house) == ["a", "b", "hostile"]
        assert list(await house.timeline.delivered()) == []


async def test_beyond_its_bound_in_memory_it_reads_from_disk_and_loses_nothing() -> None:
    journal = Journal(timeline=MemoryTimeline(), clock=LoopClock())
    inbox = Inbox(journal, held=10)
    bodies = [b"%04d" % number for number in range(50)]
    found: list[bytes] = []
    for given in bodies:
        await inbox.deliver(given)
    while taken := await inbox.next():
        found += [one.body for one in taken]
        await journal.append_held([], of=[one.number for one in taken])
    assert found == bodies
    assert inbox.past(inbox.last)


async def test_more_than_may_wait_is_refused_until_some_of_it_is_sorted() -> None:
    journal = Journal(timeline=MemoryTimeline(), clock=LoopClock())
    inbox = Inbox(journal, backlog=10)
    await inbox.deliver(b"x" * 8)
    with pytest.raises(UnavailableError, match="too many deliveries wait"):
        await inbox.deliver(b"x" * 8)
    assert len(await inbox.next()) == 1
    await inbox.deliver(b"x" * 8)


async def test_a_batch_is_bounded_so_that_the_rest_of_the_daemon_need_not_wait() -> None:
    journal = Journal(timeline=MemoryTimeline(), clock=LoopClock())
    inbox = Inbox(journal)
    for _ in range(5):
        await inbox.deliver(b"x" * 200_000)
    sizes: list[int] = []
    while taken := await inbox.next():
        sizes.append(len(taken))
        await journal.append_held([], of=[one.number for one in taken])
    assert sizes == [1, 1, 1, 1, 1]


async def test_what_is_given_back_comes_again_with_all_that_came_after_it() -> None:
    journal = Journal(timeline=MemoryTimeline(), clock=LoopClock())
    inbox = Inbox(journal)
    for given in (b"a", b"b", b"c"):
        await inbox.deliver(given)
    first = await inbox.next()
    await journal.append_held([], of=[first[0].number])
    inbox.take_back(first[1])
    assert not inbox.past(3)
    assert [one.body for one in await inbox.next()] == [b"b", b"c"]
