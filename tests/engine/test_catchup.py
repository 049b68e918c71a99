"""What webhooks did not bring is fetched: at the start, and after a truncated delivery."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from healer.engine.catchup import EVERY, Asking, CatchUp
from healer.errors import TimelineError, UnavailableError
from healer.model.alert import Alert, AlertGroup, Fingerprint, Firing
from healer.model.receipt import Receipt
from tests.fakes.clock import LoopClock
from tests.fakes.house import alert, group

pytestmark = pytest.mark.looptime


@dataclass
class FakeSource:
    """Alertmanager's list, which can be away for some questions."""

    away: int = 0
    asked: int = 0
    alerts: tuple[Alert, ...] = (alert(),)
    muted: frozenset[Fingerprint] = frozenset()

    async def firing(self) -> Firing:
        self.asked += 1
        if self.away:
            self.away -= 1
            raise UnavailableError("away")
        return Firing(told=group(*self.alerts), muted=self.muted)


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


async def fetched(
    source: FakeSource,
    door: FakeDoor,
    *,
    seconds: float = 200,
    wants: int = 0,
    known: tuple[Alert, ...] = (),
    every: timedelta = EVERY,
) -> None:
    asking = Asking(source=source, every=every)
    catch_up = CatchUp(asking=asking, known=lambda: known, accept=door.accept, clock=LoopClock())
    running = asyncio.ensure_future(catch_up.run())
    for _ in range(wants):
        await asyncio.sleep(60)
        catch_up.want()
    await asyncio.sleep(seconds)
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


def resolved(door: FakeDoor) -> list[str]:
    return [one.labels["pod"] for taken in door.taken for one in taken.alerts if not one.firing]


async def test_an_alert_that_alertmanager_has_not_had_for_two_looks_is_resolved() -> None:
    door = FakeDoor()
    known = (alert(pod="here"), alert(pod="gone"))
    source = FakeSource(alerts=(alert(pod="here"),))
    await fetched(source, door, known=known, seconds=301)
    assert resolved(door) == []
    door.taken.clear()
    await fetched(source, door, known=known, seconds=601)
    assert resolved(door) == ["gone"]


async def test_what_is_silenced_is_not_told_and_not_resolved_either() -> None:
    door, muted = FakeDoor(), alert(pod="muted")
    source = FakeSource(alerts=(), muted=frozenset({muted.fingerprint}))
    await fetched(source, door, known=(muted,), seconds=3600)
    assert [taken.alerts for taken in door.taken] == [()] * len(door.taken)


async def test_it_looks_as_often_as_it_was_told_to() -> None:
    source = FakeSource()
    await fetched(source, FakeDoor(), seconds=61, every=timedelta(seconds=10))
    assert source.asked == 7, "at the start, and every ten seconds"


async def test_an_alertmanager_that_was_away_resolves_nothing() -> None:
    door = FakeDoor()
    await fetched(FakeSource(away=1000), door, known=(alert(),), seconds=3600)
    assert door.taken == []
