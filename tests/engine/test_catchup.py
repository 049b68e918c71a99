"""What webhooks did not bring is fetched: at the start, and after a truncated delivery."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from healer.engine.catchup import CatchUp
from healer.errors import TimelineError, UnavailableError
from healer.model.alert import AlertGroup
from healer.model.receipt import Receipt
from tests.fakes.clock import LoopClock
from tests.fakes.house import alert, group

pytestmark = pytest.mark.looptime


@dataclass
class FakeSource:
    """Alertmanager's list, which can be away for some questions."""

    away: int = 0
    asked: int = 0

    async def firing(self) -> AlertGroup:
        self.asked += 1
        if self.away:
            self.away -= 1
            raise UnavailableError("away")
        return group(alert())


@dataclass
class FakeDoor:
    """Takes deliveries, or cannot record them."""

    full: int = 0
    taken: list[AlertGroup] = field(default_factory=list[AlertGroup])

    async def accept(self, groups: Sequence[AlertGroup]) -> Receipt:
        if self.full:
            self.full -= 1
            raise TimelineError("disk full")
        self.taken += groups
        return Receipt(opened=1)


async def fetched(source: FakeSource, door: FakeDoor, *, wants: int = 0) -> None:
    catch_up = CatchUp(source=source, accept=door.accept, clock=LoopClock())
    running = asyncio.ensure_future(catch_up.run())
    for _ in range(wants):
        await asyncio.sleep(300)
        catch_up.want()
    await asyncio.sleep(300)
    running.cancel()


async def test_a_start_fetches_once() -> None:
    source, door = FakeSource(), FakeDoor()
    await fetched(source, door)
    assert (source.asked, len(door.taken)) == (1, 1)


async def test_a_truncated_delivery_fetches_again() -> None:
    source, door = FakeSource(), FakeDoor()
    await fetched(source, door, wants=2)
    assert len(door.taken) == 3


async def test_it_goes_on_until_it_worked() -> None:
    source, door = FakeSource(away=3), FakeDoor(full=2)
    await fetched(source, door)
    assert len(door.taken) == 1
