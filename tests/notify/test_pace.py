"""How fast a channel is written to, in virtual time."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from healer.errors import TemporaryError
from healer.notify.pace import Pace

pytestmark = pytest.mark.looptime


class LoopClock:
    """Time of the loop, which looptime turns by itself."""

    def now(self) -> datetime:
        return datetime.fromtimestamp(asyncio.get_running_loop().time(), UTC)

    async def sleep(self, span: timedelta) -> None:
        await asyncio.sleep(max(0.0, span.total_seconds()))


def pace(*, burst: int = 3, patience: float = 5) -> Pace:
    return Pace(
        clock=LoopClock(),
        every=timedelta(seconds=1),
        burst=burst,
        patience=timedelta(seconds=patience),
    )


async def taken(bucket: Pace, times: int, key: str = "c") -> list[float]:
    loop, start = asyncio.get_running_loop(), asyncio.get_running_loop().time()
    moments: list[float] = []
    for _ in range(times):
        await bucket.take(key)
        moments.append(round(loop.time() - start, 3))
    return moments


async def test_a_burst_goes_at_once_and_then_one_a_second() -> None:
    assert await taken(pace(), 6) == [0, 0, 0, 1, 2, 3]


async def test_rest_fills_the_bucket_again() -> None:
    bucket = pace()
    await taken(bucket, 3)
    await asyncio.sleep(10)
    assert await taken(bucket, 4) == [0, 0, 0, 1]


async def test_channels_do_not_slow_each_other() -> None:
    bucket = pace(burst=1)
    assert await taken(bucket, 1, "a") == [0]
    assert await taken(bucket, 1, "b") == [0]


async def test_a_crowd_never_exceeds_the_rate_and_the_rest_is_told_when_to_come_back() -> None:
    bucket, loop = pace(burst=1, patience=5), asyncio.get_running_loop()
    start, went, later = loop.time(), list[float](), list[float]()

    async def one() -> None:
        try:
            await bucket.take("c")
        except TemporaryError as error:
            later.append((error.retry_after or timedelta()).total_seconds())
        else:
            went.append(round(loop.time() - start, 3))

    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(one())
    assert went == [0, 1, 2, 3, 4, 5]
    assert len(later) == 14
    assert all(seconds == pytest.approx(6) for seconds in later)


async def test_silence_that_was_asked_for_is_kept_by_everybody() -> None:
    bucket = pace()
    bucket.hold("c", timedelta(seconds=3))
    assert await taken(bucket, 3) == [3, 4, 5]
    bucket.hold("c", timedelta(seconds=30))
    with pytest.raises(TemporaryError) as caught:
        await bucket.take("c")
    assert caught.value.retry_after == timedelta(seconds=30)
