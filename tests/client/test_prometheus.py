"""PromQL against servers that answer well, badly, late and never."""

import asyncio
import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from healer.client.prometheus import Kind, Prometheus
from healer.errors import RejectedError, UnavailableError
from tests.fakes.stub import Stub, drips, hangs, hangs_up, says

QUERY = "/api/v1/query"
RANGE = "/api/v1/query_range"


@pytest.fixture
async def prometheus(stub: Stub) -> AsyncIterator[Prometheus]:
    client = Prometheus(stub.url, timeout=timedelta(seconds=3), threads=2)
    yield client
    await client.close()


def answer(kind: str, result: Any, **more: object) -> object:
    return {"status": "success", "data": {"resultType": kind, "result": result}, **more}


async def test_a_vector_keeps_labels_and_values(prometheus: Prometheus, stub: Stub) -> None:
    result = [{"metric": {"pod": "a"}, "value": [1700000000.5, "2.5"]}]
    stub.on("GET", QUERY, says(answer("vector", result)))

    reading = await prometheus.query("up")

    assert reading.kind is Kind.VECTOR
    assert reading.series[0].labels == {"pod": "a"}
    assert reading.series[0].last == 2.5
    assert stub.asked[0].query["query"] == "up"


async def test_a_scalar_is_told_from_a_vector(prometheus: Prometheus, stub: Stub) -> None:
    stub.on("GET", QUERY, says(answer("scalar", [1700000000, "3"])))

    reading = await prometheus.query("scalar(up)")

    assert (reading.kind, reading.series[0].last) == (Kind.SCALAR, 3.0)


async def test_nothing_nan_and_zero_are_three_things(prometheus: Prometheus, stub: Stub) -> None:
    def vector(value: str) -> object:
        return answer("vector", [{"metric": {}, "value": [1, value]}])

    stub.on(
        "GET",
        QUERY,
        says(answer("vector", [])),
        says(vector("NaN")),
        says(vector("0")),
        says(vector("+Inf")),
    )

    nothing, nan, zero, infinite = [await prometheus.query("x") for _ in range(4)]

    assert nothing.empty
    assert not nan.empty
    assert math.isnan(nan.series[0].last)
    assert zero.series[0].last == 0.0
    assert infinite.series[0].last == math.inf


async def test_warnings_are_kept(prometheus: Prometheus, stub: Stub) -> None:
    stub.on("GET", QUERY, says(answer("vector", [], warnings=["a shard is away"])))

    assert (await prometheus.query("up")).warnings == ("a shard is away",)


async def test_a_range_asks_for_whole_seconds_of_utc(prometheus: Prometheus, stub: Stub) -> None:
    points = [[1700000000, "1"], [1700000015, "2"]]
    stub.on("GET", RANGE, says(answer("matrix", [{"metric": {}, "values": points}])))
    start = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)

    reading = await prometheus.range(
        "up", start=start, end=start + timedelta(minutes=5), step=timedelta(seconds=15)
    )

    asked = stub.asked[0].query
    assert asked["start"] == str(round(start.timestamp()))
    assert asked["end"] == str(round(start.timestamp()) + 300)
    assert asked["step"] == "15"
    assert reading.series[0].points == ((1700000000.0, 1.0), (1700000015.0, 2.0))


@pytest.mark.parametrize("code", [429, 500, 502, 503])
async def test_an_overloaded_prometheus_is_asked_only_once(
    prometheus: Prometheus, stub: Stub, code: int
) -> None:
    stub.on("GET", QUERY, says({}, status=code, headers={"Retry-After": "3"}))

    with pytest.raises(UnavailableError) as caught:
        await prometheus.query("up")

    assert caught.value.retry_after == timedelta(seconds=3)
    assert len(stub.asked) == 1


async def test_a_wrong_query_is_rejected_with_the_reason(
    prometheus: Prometheus, stub: Stub
) -> None:
    body = {"status": "error", "errorType": "bad_data", "error": "1:3: parse error"}
    stub.on("GET", QUERY, says(body, status=400))

    with pytest.raises(RejectedError, match="1:3: parse error") as caught:
        await prometheus.query("up(")

    assert caught.value.reason == "bad_data"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b"{}",
        b'{"data": null}',
        b'{"data": {"result": []}}',
        b'{"data": {"resultType": "tensor", "result": []}}',
        b'{"data": {"resultType": "vector", "result": [{}]}}',
        b'{"data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "two"]}]}}',
        b'{"data": {"resultType": "vector", "result": 7}}',
        b'{"data": {"resultType": "string", "result": [1, "text"]}}',
        b"\xff\xfe\x00",
    ],
)
async def test_garbage_is_an_unavailable_prometheus(
    prometheus: Prometheus, stub: Stub, body: bytes
) -> None:
    stub.on("GET", QUERY, says(raw=body))

    with pytest.raises(UnavailableError, match="ask Prometheus for 'up'"):
        await prometheus.query("up")


async def test_a_prometheus_that_never_answers_is_given_up_and_does_not_block_the_loop(
    prometheus: Prometheus, stub: Stub
) -> None:
    released = asyncio.Event()
    stub.on("GET", QUERY, hangs(released))
    ticks = 0
    question = asyncio.ensure_future(prometheus.query("up"))
    while not question.done():
        ticks += 1
        await asyncio.sleep(0.01)
    released.set()

    with pytest.raises(UnavailableError):
        question.result()
    assert ticks > 10
    assert len(stub.asked) == 1


async def test_a_prometheus_that_drips_frees_its_thread(prometheus: Prometheus, stub: Stub) -> None:
    stub.on("GET", QUERY, drips)
    for _ in range(3):  # more than there are threads
        with pytest.raises(UnavailableError, match=r"too slowly|no answer"):
            await prometheus.query("up")

    stub.on("GET", QUERY, says(answer("scalar", [1, "1"])))
    assert (await prometheus.query("1")).series[0].last == 1.0


async def test_an_answer_without_end_is_cut(stub: Stub) -> None:
    prometheus = Prometheus(stub.url, timeout=timedelta(seconds=20))

    async def flood(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while request.transport and not request.transport.is_closing():
            await response.write(b" " * 1_000_000)
        return response

    stub.on("GET", QUERY, flood)
    with pytest.raises(UnavailableError, match="longer than"):
        await prometheus.query("up")
    await prometheus.close()


async def test_a_connection_that_breaks_is_an_unavailable_prometheus(
    prometheus: Prometheus, stub: Stub
) -> None:
    stub.on("GET", QUERY, hangs_up)
    with pytest.raises(UnavailableError):
        await prometheus.query("up")


async def test_a_prometheus_that_is_not_there_is_unavailable() -> None:
    prometheus = Prometheus("http://127.0.0.1:1")
    with pytest.raises(UnavailableError):
        await prometheus.query("up")
    await prometheus.close()


async def test_several_questions_run_side_by_side(prometheus: Prometheus, stub: Stub) -> None:
    both = asyncio.Barrier(2)

    async def meet(_: web.Request) -> web.StreamResponse:
        await both.wait()
        return web.json_response(answer("scalar", [1, "1"]))

    stub.on("GET", QUERY, meet)
    async with asyncio.TaskGroup() as group:
        group.create_task(prometheus.query("a"))
        group.create_task(prometheus.query("b"))

    assert {one.query["query"] for one in stub.asked} == {"a", "b"}
