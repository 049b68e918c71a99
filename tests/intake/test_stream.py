"""Server-sent events: what is there, what comes, and where a reader resumes."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta

import aiohttp
import orjson
import pytest

from healer.intake.limit import Limits
from healer.intake.stream import Streams
from healer.model.event import Approved, IncidentId
from tests.fakes.desk import FakeDesk
from tests.fakes.edge import OPERATOR, PlainWords, Served, served

EVENTS = OPERATOR | {"Accept": "text/event-stream"}
PATH = "/api/v1/incidents/INC-1/timeline"


@pytest.fixture
async def edge() -> AsyncGenerator[Served]:
    async with served() as made:
        await made.desk.asking()
        yield made


async def frame(response: aiohttp.ClientResponse) -> dict[str, str]:
    async with asyncio.timeout(10):
        block = (await response.content.readuntil(b"\n\n")).decode().strip()
    pairs = [line.partition(": ") for line in block.splitlines()]
    return {name: content for name, _, content in pairs}


async def test_what_is_there_comes_and_then_what_happens(edge: Served) -> None:
    async with edge.http.get(PATH, headers=EVENTS) as response:
        assert response.content_type == "text/event-stream"
        assert [(await frame(response))["id"] for _ in range(2)] == ["1", "2"]
        await edge.desk.add(IncidentId("INC-1"), Approved(by="ada"))
        while "id" not in (last := await frame(response)):
            pass
    assert last["id"] == "3"
    assert orjson.loads(last["data"])["event"] == {"type": "Approved", "by": "ada"}


@pytest.mark.parametrize("asked", [{"Last-Event-ID": "1"}, {}])
async def test_a_reader_resumes_where_it_was(edge: Served, asked: dict[str, str]) -> None:
    path = PATH if asked else f"{PATH}?after=1"
    async with edge.http.get(path, headers=EVENTS | asked) as response:
        assert (await frame(response))["id"] == "2"


async def test_the_stream_ends_with_the_incident_and_tells_readers_not_to_come_back(
    edge: Served,
) -> None:
    await edge.desk.cancel(IncidentId("INC-1"), by="ada", reason="mine")
    async with edge.http.get(PATH, headers=EVENTS) as response:
        body = (await response.read()).decode()
    assert body.endswith("event: end\ndata: {}\n\n")
    assert body.count("id: ") == 4
    async with edge.http.get(PATH, headers=EVENTS | {"Last-Event-ID": "4"}) as response:
        assert response.status == 204


@pytest.mark.parametrize("text", ["x", "-1", "1" * 40, "٣"])
async def test_a_wrong_last_event_id_is_400(edge: Served, text: str) -> None:
    async with edge.http.get(PATH, headers=EVENTS | {"Last-Event-ID": text}) as response:
        assert response.status == 400


async def test_more_streams_than_there_is_room_for_are_503_and_room_comes_back() -> None:
    async with served(limits=Limits(streams=1)) as edge:
        await edge.desk.asking()
        async with edge.http.get(PATH, headers=EVENTS) as first:
            await frame(first)
            async with edge.http.get(PATH, headers=EVENTS) as second:
                assert second.status == 503
        async with asyncio.timeout(10):
            status = 503
            while status == 503:
                # The server learns that the first is gone when it next writes to it.
                await edge.desk.add(IncidentId("INC-1"), Approved(by="ada"))
                async with edge.http.get(PATH, headers=EVENTS) as third:
                    status = third.status
    assert status == 200


async def test_a_silent_stream_beats(edge: Served) -> None:
    streams = Streams(
        desk=edge.desk, words=PlainWords(), limits=Limits(), beat=timedelta(milliseconds=1)
    )
    async with aclosing(streams.frames(IncidentId("INC-1"), after=2)) as frames:
        assert await anext(frames) == b": still here\n\n"


async def test_the_end_of_the_edge_ends_its_streams_at_once() -> None:
    async with asyncio.timeout(10):
        async with served() as edge:
            await edge.desk.asking()
            response = await edge.http.get(PATH, headers=EVENTS)
            await frame(response)
        response.close()


async def test_streams_know_how_many_are_read() -> None:
    assert len(Streams(desk=FakeDesk(), words=PlainWords(), limits=Limits())) == 0
