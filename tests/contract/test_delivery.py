"""What every timeline promises of deliveries, over every adapter."""

import asyncio

import pytest

from healer.errors import ConflictError
from healer.timeline.contract import Timeline
from tests.contract.test_timeline import draft, opened, said


async def numbers(timeline: Timeline) -> list[int]:
    return [one.number for one in await timeline.delivered()]


async def test_deliveries_are_kept_as_they_came_and_in_their_order(timeline: Timeline) -> None:
    bodies = [b"first", b"\x00\xff not a text", b"third"]
    given = [await timeline.deliver(body) for body in bodies]
    assert given == sorted(set(given))
    found = await timeline.delivered()
    assert [one.body for one in found] == bodies
    assert [one.number for one in found] == given
    assert [one.body for one in await timeline.delivered(after=given[0], limit=1)] == bodies[1:2]
    assert list(await timeline.delivered(limit=0)) == []


async def test_a_delivery_is_done_with_by_the_very_append_that_sorted_it(
    timeline: Timeline,
) -> None:
    first, second, third = [await timeline.deliver(b"x") for _ in range(3)]
    await timeline.append([draft("a", 0, opened())], of=[first])
    assert await numbers(timeline) == [second, third]
    with pytest.raises(ConflictError):
        await timeline.append([draft("a", 0, said("stale"))], of=[second])
    assert await numbers(timeline) == [second, third]
    assert list(await timeline.append([], of=[second, third, 10**6])) == []
    assert await numbers(timeline) == []
    assert await timeline.deliver(b"x") > third, "no number is used twice"


async def test_many_deliver_and_append_at_once(timeline: Timeline) -> None:
    async def both(number: int) -> int:
        got = await timeline.deliver(b"%d" % number)
        await timeline.append([draft(f"i{number}", 0, opened(f"s{number}"))], of=[got])
        return got

    given = await asyncio.gather(*(both(number) for number in range(40)))
    assert len(set(given)) == 40
    assert await numbers(timeline) == []
    assert len(await timeline.unfinished()) == 40
