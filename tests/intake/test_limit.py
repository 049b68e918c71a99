"""What the edge does when there is too much, too slow, or nonsense on the wire."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import aiohttp
import orjson
import pytest

from healer.intake.limit import Limits
from healer.intake.server import application, listen
from tests.fakes.desk import FakeDesk
from tests.fakes.edge import DELIVERS, PATH, TOKEN, Served, delivery, post, served
from tests.fakes.edge import edge as edge_of

CORPUS = {path.name: path.read_bytes() for path in (Path(__file__).parent / "corpus").iterdir()}


async def test_more_requests_than_there_is_room_for_are_503_and_room_comes_back() -> None:
    async with served(limits=Limits(requests=2)) as edge:
        edge.desk.hold = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            first = [group.create_task(post(edge, delivery("A"))) for _ in range(2)]
            await until(lambda: edge.desk.waiting == 2)
            status, answer = await post(edge, delivery("B"))
            assert (status, answer) == (503, {"error": "too many requests are in flight"})
            edge.desk.hold.set()
        assert [task.result()[0] for task in first] == [200, 200]
        assert (await post(edge, delivery("B")))[0] == 200


async def test_more_octets_than_there_is_room_for_are_503_and_room_comes_back() -> None:
    async with served(limits=Limits(octets=1000)) as edge:
        status, answer = await post(edge, delivery("A", pad="x" * 1000))
        assert (status, answer) == (503, {"error": "too many octets are in flight"})
        assert (await post(edge, delivery("A")))[0] == 200


async def test_a_client_too_slow_with_its_body_is_503_so_that_alertmanager_comes_again() -> None:
    async with served(limits=Limits(read=timedelta(milliseconds=100))) as edge:
        answer = await raw(
            edge,
            b"POST /webhook/alertmanager HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
            + TOKEN.encode()
            + b"\r\nContent-Length: 100\r\n\r\n{",
        )
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"too long" in answer


async def test_a_client_too_slow_with_its_headers_is_hung_up_on() -> None:
    async with served(limits=Limits(idle=timedelta(milliseconds=200))) as edge:
        assert await raw(edge, b"POST /webhook/alertmanager HTTP/1.1\r\nHost: ") == b""
        assert await raw(edge, b"") == b""


async def test_more_connections_than_there_is_room_for_are_refused() -> None:
    async with served(limits=Limits(connections=1)) as edge:
        _, held = await asyncio.open_connection("127.0.0.1", edge.port)
        answer = await until_refused(edge)
        held.close()
        await held.wait_closed()
    assert answer.startswith(b"HTTP/1.1 503 ")


HEAD = (
    b"POST /webhook/alertmanager HTTP/1.1\r\nHost: x\r\n"
    b"Authorization: Bearer t0ken-of-alertmanager\r\n"
)
GARBAGE = {
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200 + b"\r\n\r\n",
    "a negative length": HEAD + b"Content-Length: -5\r\n\r\n{}",
    "a length that is no number": HEAD + b"Content-Length: many\r\n\r\n{}",
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
    "a length and chunks": HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    "chunks of garbage": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "a chunk without end": HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}garbage\r\n0\r\n\r\n",
    "a header without colon": b"GET /healthz HTTP/1.1\r\nHost x\r\n\r\n",
    "too long a header": b"GET /healthz HTTP/1.1\r\nHost: " + b"x" * 20_000 + b"\r\n\r\n",
    "too many headers": b"GET /healthz HTTP/1.1\r\n" + b"A: b\r\n" * 500 + b"\r\n",
    "too long a path": b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a strange method": b"BREW /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE.keys())
async def test_garbage_is_refused_without_html_and_the_edge_lives_on(
    edge: Served, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await raw(edge, content)
    assert answer.startswith((b"HTTP/1.1 40", b"HTTP/1.0 40"))
    assert b"<html" not in answer
    assert "Traceback" not in caplog.text
    assert TOKEN not in caplog.text
    assert (await post(edge, delivery("A")))[0] == 200


async def test_a_client_that_dies_within_its_body_records_nothing(edge: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(HEAD + b"Content-Length: 1000\r\n\r\n{")
    await writer.drain()
    writer.transport.abort()
    assert (await reader.read()) == b""
    assert (await post(edge, delivery("A")))[0] == 200
    assert len(edge.desk.received) == 1


async def test_what_a_half_closed_client_sent_is_recorded_and_its_room_given_back() -> None:
    async with served(limits=Limits(requests=1)) as edge:
        edge.desk.hold = asyncio.Event()
        content = orjson.dumps(delivery("A"))
        _, writer = await asyncio.open_connection("127.0.0.1", edge.port)
        writer.write(HEAD + b"Content-Length: %d\r\n\r\n" % len(content) + content)
        await until(lambda: edge.desk.waiting == 1)
        writer.write_eof()
        edge.desk.hold.set()
        await until(lambda: len(edge.desk.received) == 1)
        async with asyncio.timeout(10):
            while (await post(edge, delivery("A")))[0] != 200:
                pass
        writer.close()


async def test_a_delivery_is_finished_although_the_client_hung_up(edge: Served) -> None:
    edge.desk.hold = asyncio.Event()
    content = orjson.dumps(delivery("A"))
    _, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(HEAD + b"Content-Length: %d\r\n\r\n" % len(content) + content)
    await until(lambda: edge.desk.waiting == 1)
    writer.transport.abort()
    edge.desk.hold.set()
    await until(lambda: len(edge.desk.received) == 1)


async def test_many_deliveries_share_a_connection(edge: Served) -> None:
    content = orjson.dumps(delivery("A"))
    one = HEAD + b"Content-Length: %d\r\n\r\n" % len(content) + content
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(one * 20)
    async with asyncio.timeout(10):
        answers = [await reader.readuntil(b"}") for _ in range(20)]
    writer.close()
    await writer.wait_closed()
    assert all(answer.startswith(b"HTTP/1.1 200 ") for answer in answers)
    assert len(edge.desk.received) == 20


async def test_answers_do_not_tell_what_the_server_is_made_of(edge: Served) -> None:
    async with edge.http.get("/healthz") as response:
        assert response.headers["Server"] == "healer"


@pytest.mark.parametrize(("method", "path", "status"), [("GET", PATH, 405), ("POST", "/x", 404)])
async def test_what_is_not_there_is_json_too(
    edge: Served, method: str, path: str, status: int
) -> None:
    async with edge.http.request(method, path, headers={"Accept": "text/html"}) as response:
        assert response.status == status
        assert "error" in await response.json()


async def test_a_delivery_under_way_is_answered_when_the_edge_ends() -> None:
    desk, made = FakeDesk(), edge_of()
    desk.hold = asyncio.Event()
    async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as group:
        app = application(replace(made, desk=desk))
        async with listen(app, host="127.0.0.1", port=0, limits=made.limits) as port:
            url = f"http://127.0.0.1:{port}{PATH}"
            request = http.post(url, json=delivery("A"), headers=DELIVERS)
            task = group.create_task(status_of(request))
            await until(lambda: desk.waiting == 1)
            asyncio.get_running_loop().call_later(0.1, desk.hold.set)
        assert await task == 200


async def test_a_delivery_that_does_not_end_is_cut_off_unanswered_when_the_edge_ends() -> None:
    limits = Limits(shutdown=timedelta(milliseconds=100))
    desk, made = FakeDesk(), edge_of(limits=limits)
    desk.hold = asyncio.Event()
    content = orjson.dumps(delivery("A"))
    async with asyncio.timeout(5):
        app = application(replace(made, desk=desk))
        async with listen(app, host="127.0.0.1", port=0, limits=limits) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(HEAD + b"Content-Length: %d\r\n\r\n" % len(content) + content)
            await until(lambda: desk.waiting == 1)
        assert await reader.read() == b""
    writer.close()
    assert desk.received == []


async def status_of(request: AbstractAsyncContextManager[aiohttp.ClientResponse]) -> int:
    async with request as response:
        return response.status


async def raw(edge: Served, content: bytes) -> bytes:
    """Send octets as they are and read until the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    try:
        writer.write(content)
        async with asyncio.timeout(10):
            answer = await reader.read()
    except ConnectionResetError:
        answer = b""
    finally:
        writer.close()
    return answer


async def until_refused(edge: Served) -> bytes:
    async with asyncio.timeout(10):
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
            answer = await reader.read()
            writer.close()
            if answer:
                return answer


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.001)
