"""What Alertmanager has now, and what nonsense from it means."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from healer.client.alertmanager import Alertmanager
from healer.errors import RejectedError, UnavailableError


@dataclass
class FakeApi:
    """GET /api/v2/alerts, with a body and a status of the test's choice."""

    body: str = "[]"
    status: int = 200
    seen: list[str] = field(default_factory=list[str])
    receivers: list[str] = field(default_factory=list[str])

    async def answer(self, request: web.Request) -> web.Response:
        self.seen.append(request.headers.get("Authorization", ""))
        self.receivers.append(request.query.get("receiver", ""))
        return web.Response(text=self.body, status=self.status, content_type="application/json")


ROW = (
    '{"fingerprint":"ab","labels":{"alertname":"A"},"annotations":{},"startsAt":'
    '"2026-01-05T03:00:00.123456789Z","endsAt":"2026-01-05T03:05:00Z","receivers":[{"name":"h"}],'
    '"updatedAt":"2026-01-05T03:00:00Z","generatorURL":"http://p","status":'
    '{"state":"suppressed","silencedBy":["5d1c"],"inhibitedBy":[]}}'
)


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
async def alertmanager(api: FakeApi) -> AsyncGenerator[Alertmanager]:
    app = web.Application()
    app.router.add_get("/api/v2/alerts", api.answer)
    async with TestServer(app) as server:
        client = Alertmanager(
            str(server.make_url("/")), receiver="h", headers={"Authorization": "Bearer x"}
        )
        yield client
        await client.close()


async def test_firing_alerts_come_as_one_delivery(api: FakeApi, alertmanager: Alertmanager) -> None:
    api.body = f"[{ROW.replace('suppressed', 'active')}]"
    firing = await alertmanager.firing()
    (alert,) = firing.told.alerts
    assert firing.muted == frozenset()
    assert (alert.name, alert.fingerprint, alert.firing) == ("A", "ab", True)
    assert alert.starts_at.microsecond == 123456
    assert api.seen == ["Bearer x"]
    assert api.receivers == ["^(?:h)$"], "what is routed to others is not ours to act upon"


async def test_what_it_would_tell_nobody_is_kept_apart(
    api: FakeApi, alertmanager: Alertmanager
) -> None:
    api.body = f"[{ROW}]"
    firing = await alertmanager.firing()
    assert firing.told.alerts == ()
    assert firing.muted == frozenset({"ab"})


async def test_silences_are_named(api: FakeApi, alertmanager: Alertmanager) -> None:
    api.body = f"[{ROW}]"
    assert dict(await alertmanager.silenced_by()) == {"ab": ("5d1c",)}


@pytest.mark.parametrize("body", ["", "{}", "null", '[{"labels":3}]', "<html>"])
async def test_nonsense_means_away(api: FakeApi, alertmanager: Alertmanager, body: str) -> None:
    api.body = body
    with pytest.raises(UnavailableError, match="cannot be understood"):
        await alertmanager.firing()


async def test_a_refusal_is_a_refusal_and_a_fault_is_temporary(
    api: FakeApi, alertmanager: Alertmanager
) -> None:
    api.status = 403
    with pytest.raises(RejectedError):
        await alertmanager.firing()
    api.status = 503
    with pytest.raises(UnavailableError):
        await alertmanager.firing()
