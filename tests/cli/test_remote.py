"""The HTTP side of the command line: restarts, strangers, addresses."""

import asyncio
import json

import pytest
from aiohttp import web

from healer.intake.limit import Limits
from healer.intake.server import application, listen
from healer.model.event import Approved
from tests.fakes.desk import FakeDesk
from tests.fakes.edge import edge as edge_of
from tests.fakes.terminal import healer


async def test_following_outlives_a_restart_of_the_daemon(unused_tcp_port: int) -> None:
    desk, port = FakeDesk(), unused_tcp_port
    incident = await desk.asking()

    def serving() -> web.Application:
        return application(edge_of(desk=desk))

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        async with listen(serving(), host="127.0.0.1", port=port, limits=Limits()):
            following = group.create_task(
                healer(port, "incident", "show", incident, "--follow", "-o", "json")
            )
            await until_streamed(desk)
        await desk.add(incident, Approved(by="ada"))
        async with listen(serving(), host="127.0.0.1", port=port, limits=Limits()):
            await desk.cancel(incident, by="ada", reason="mine")
            result = await following
    assert result.exit_code == 0
    assert [json.loads(line)["seq"] for line in result.stdout.splitlines()] == [1, 2, 3, 4]


async def until_streamed(desk: FakeDesk) -> None:
    """Somebody waits for news."""
    async with asyncio.timeout(10):
        while not desk.readers:  # noqa: ASYNC110 - bounded, and the reader is another process's
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"[]", b"\xff"])
async def test_a_server_that_is_not_healer_is_said(body: bytes) -> None:
    async def hello(_: web.Request) -> web.Response:
        return web.Response(body=body)

    app = web.Application()
    app.router.add_get("/api/v1/status", hello)
    async with listen(app, host="127.0.0.1", port=0, limits=Limits()) as port:
        result = await healer(port, "status")
    assert result.exit_code == 1
    assert "does not answer like healer" in result.stderr


async def test_the_daemon_may_live_under_a_path() -> None:
    app = web.Application()
    app.add_subapp("/ops/", application(edge_of()))
    async with listen(app, host="127.0.0.1", port=0, limits=Limits()) as port:
        result = await healer(port, "status", server=f"http://127.0.0.1:{port}/ops/")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "ready")


async def test_a_daemon_that_asks_for_patience_is_quoted() -> None:
    desk = FakeDesk()
    incident = await desk.asking()
    limits = Limits(streams=0)
    app = application(edge_of(desk=desk, limits=limits))
    async with listen(app, host="127.0.0.1", port=0, limits=limits) as port:
        result = await healer(port, "incident", "show", incident, "--follow")
    assert result.exit_code == 1
    assert "too many streams are being read [HTTP 503]" in result.stderr
