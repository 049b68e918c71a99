"""The client against a real Prometheus: what the stubs claim, it does."""

import asyncio
import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from healer.client.prometheus import Kind, Prometheus
from healer.errors import RejectedError
from healer.lab.monitoring.prometheus import Prometheus as Program
from healer.lab.monitoring.scrape import Targets

pytestmark = pytest.mark.real


@pytest.fixture
async def prometheus(tmp_path: Path) -> AsyncIterator[Prometheus]:
    async with Program(targets=Targets(path=tmp_path / "none.json")) as program:
        client = Prometheus(program.url)
        yield client
        await client.close()


async def test_a_real_prometheus_answers_as_the_stubs_do(prometheus: Prometheus) -> None:
    scalar = await prometheus.query("scalar(vector(2))")
    vector = await prometheus.query('label_replace(vector(2.5), "pod", "a", "", "")')
    nothing = await prometheus.query("no_such_series")
    nan = await prometheus.query("vector(0) / vector(0)")
    infinite = await prometheus.query("vector(1) / vector(0)")

    assert (scalar.kind, scalar.series[0].last) == (Kind.SCALAR, 2.0)
    assert (vector.kind, vector.series[0].last) == (Kind.VECTOR, 2.5)
    assert vector.series[0].labels == {"pod": "a"}
    assert nothing.empty
    assert math.isnan(nan.series[0].last)
    assert infinite.series[0].last == math.inf


async def test_a_range_has_a_point_for_every_step(prometheus: Prometheus) -> None:
    end = datetime.now(UTC)

    reading = await prometheus.range(
        "vector(time())",
        start=end - timedelta(minutes=5),
        end=end,
        step=timedelta(minutes=1),
    )

    points = reading.series[0].points
    assert len(points) == 6
    assert all(moment == value for moment, value in points)


async def test_a_value_can_be_asked_for_at_a_moment(prometheus: Prometheus) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)

    reading = await prometheus.query("vector(time())", at=at)

    assert reading.series[0].last == at.timestamp()


@pytest.mark.parametrize("query", ["up(", "rate(up)", "sum(", "1 + + ", '{__name__=~".*"}[1y:1ms]'])
async def test_a_wrong_query_is_rejected_in_its_own_words(
    prometheus: Prometheus, query: str
) -> None:
    with pytest.raises(RejectedError) as caught:
        await prometheus.query(query)

    assert caught.value.reason in {"bad_data", "execution"}


async def test_many_questions_at_once_are_all_answered(prometheus: Prometheus) -> None:
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(prometheus.query(f"vector({n})")) for n in range(40)]

    assert [one.result().series[0].last for one in asked] == [float(n) for n in range(40)]
