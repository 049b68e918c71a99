"""Buttons in Slack: signed, for those who may decide, answered in time."""

import asyncio
import hmac
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from urllib.parse import urlencode

import aiohttp
import orjson
import pytest
from aiohttp import web

from healer.errors import TimelineError
from healer.intake.limit import Gate, Limits
from healer.intake.reply import errors
from healer.intake.server import listen
from healer.intake.slack import PATIENCE, Slack, SlackDoor
from healer.model.event import Approved, Denied, IncidentId
from tests.fakes.desk import FakeDesk
from tests.fakes.edge import Served, served

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECRET = "shh"
PATH = "/slack/interactions"


class StillClock:
    """It is always NOW."""

    def now(self) -> datetime:
        return NOW

    async def sleep(self, span: timedelta) -> None:
        await asyncio.sleep(span.total_seconds())


def door(*approvers: str) -> SlackDoor:
    return SlackDoor(signing_secret=SECRET, clock=StillClock(), approvers=frozenset(approvers))


@pytest.fixture
async def edge() -> AsyncGenerator[Served]:
    async with served(slack=door()) as made:
        await made.desk.asking()
        yield made


def click(action: str = "approve", incident: str = "INC-1", **user: str) -> bytes:
    interaction = {
        "type": "block_actions",
        "user": {"id": "U1", "username": "ada"} | user,
        "actions": [{"action_id": action, "value": incident, "type": "button"}],
        "message": {"ts": "1.2"},
    }
    return urlencode({"payload": orjson.dumps(interaction).decode()}).encode()


def signed(body: bytes, *, at: datetime = NOW, secret: str = SECRET) -> dict[str, str]:
    stamp = str(int(at.timestamp()))
    digest = hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body, sha256).hexdigest()
    return {
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": f"v0={digest}",
        "Content-Type": "application/x-www-form-urlencoded",
    }


async def post(edge: Served, body: bytes, headers: dict[str, str] | None = None) -> int:
    async with edge.http.post(
        PATH, data=body, headers=signed(body) if headers is None else headers
    ) as response:
        assert response.content_type == "application/json"
        return response.status


def last(edge: Served) -> object:
    return edge.desk.timelines[IncidentId("INC-1")][-1].event


async def test_a_click_on_approve_lets_it_go_on(edge: Served) -> None:
    assert await post(edge, click()) == 200
    assert last(edge) == Approved(by="ada (U1, Slack)")


async def test_a_click_on_deny_says_no(edge: Served) -> None:
    assert await post(edge, click("deny", username="")) == 200
    assert last(edge) == Denied(by="U1 (Slack)", reason="denied in Slack")


async def test_other_buttons_are_acknowledged_and_do_nothing(edge: Served) -> None:
    before = last(edge)
    assert await post(edge, click("open-page")) == 200
    assert last(edge) is before


@pytest.mark.parametrize(
    "changes",
    [
        {"X-Slack-Signature": "v0=00"},
        {"X-Slack-Signature": "v0=\xfc"},
        {"X-Slack-Signature": ""},
        {"X-Slack-Request-Timestamp": "soon"},
        {"X-Slack-Request-Timestamp": ""},
        {"X-Slack-Request-Timestamp": "9" * 5000},
        signed(click(), secret="guess"),
        signed(click(), at=NOW - timedelta(minutes=5, seconds=1)),
        signed(click(), at=NOW + timedelta(minutes=5, seconds=1)),
        signed(click("deny")),
    ],
)
async def test_what_slack_did_not_sign_just_now_is_401(
    edge: Served, changes: dict[str, str]
) -> None:
    before = last(edge)
    assert await post(edge, click(), signed(click()) | changes) == 401
    assert last(edge) is before


async def test_an_unsigned_request_is_401(edge: Served) -> None:
    assert await post(edge, click(), {}) == 401
    assert await post(edge, b"\xff\xfe", signed(b"\xff\xfe")) == 401


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"payload",
        b"payload=%7B",
        b"payload=%5B%5D",
        b"payload=%7B%7D",
        b"payload=%7B%7D&payload=%7B%7D",
        b"other=%7B%7D",
        click().replace(b"U1", b"%22"),
    ],
)
async def test_a_signed_body_that_is_no_interaction_is_400(edge: Served, body: bytes) -> None:
    assert await post(edge, body) == 400


async def test_a_click_in_vain_is_not_answered_200(edge: Served) -> None:
    await post(edge, click())
    assert await post(edge, click()) == 409
    assert await post(edge, click(incident="INC-404")) == 404
    edge.desk.broken = TimelineError("disk full")
    assert await post(edge, click()) == 503


async def test_only_those_who_may_decide_do() -> None:
    async with served(slack=door("U7")) as edge:
        await edge.desk.asking()
        assert await post(edge, click()) == 403
        assert await post(edge, click(id="U7")) == 200
        assert last(edge) == Approved(by="ada (U7, Slack)")


async def test_without_a_signing_secret_there_is_no_such_door() -> None:
    async with served() as edge:
        assert await post(edge, click()) == 404


class SlowDesk(FakeDesk):
    """Never comes to an end with an approval."""

    async def approve(self, incident: IncidentId, *, by: str) -> None:
        await asyncio.Event().wait()


async def test_a_slow_engine_is_answered_for_in_time() -> None:
    assert timedelta(seconds=3) > PATIENCE
    limits = Limits()
    slack = Slack(
        desk=SlowDesk(),
        door=door(),
        gate=Gate(requests=1, octets=10_000),
        limits=limits,
        patience=timedelta(milliseconds=20),
    )
    app = web.Application(middlewares=[errors(limits)])
    app.router.add_post(PATH, slack.handle)
    async with (
        listen(app, host="127.0.0.1", port=0, limits=limits) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http,
        http.post(PATH, data=click(), headers=signed(click())) as response,
    ):
        assert response.status == 503
        assert "not recorded in time" in (await response.json())["error"]
