"""The lab's PagerDuty, spoken to over HTTP as any client would."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from healer.lab.pagerduty.server import PagerDutyServer

Json = dict[str, Any]
KEY = "0123456789abcdef0123456789abcdef"
PAYLOAD = {"summary": "queue is full", "source": "production/api", "severity": "critical"}
AUTH = {"Authorization": "Token token=lab-rest-token", "From": "healer@example.com"}


@pytest.fixture
async def pagerduty() -> AsyncIterator[PagerDutyServer]:
    async with PagerDutyServer() as server:
        yield server


@pytest.fixture
async def http(pagerduty: PagerDutyServer) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(base_url=pagerduty.url) as session:
        yield session


async def send(http: aiohttp.ClientSession, **event: Any) -> tuple[int, Json]:
    async with http.post("/v2/enqueue", json={"routing_key": KEY, **event}) as answer:
        return answer.status, await answer.json()


async def trigger(http: aiohttp.ClientSession, key: str = "k") -> None:
    status, _ = await send(http, event_action="trigger", dedup_key=key, payload=PAYLOAD)
    assert status == 202


async def test_an_event_is_accepted_with_its_dedup_key(http: aiohttp.ClientSession) -> None:
    event = {"event_action": "trigger", "payload": PAYLOAD}
    assert await send(http, **event, dedup_key="k") == (
        202,
        {"status": "success", "message": "Event processed", "dedup_key": "k"},
    )
    _, answer = await send(http, **event)
    assert len(answer["dedup_key"]) == 32  # where none is given, PagerDuty makes one


async def test_the_same_key_is_the_same_incident_until_it_is_resolved(
    http: aiohttp.ClientSession, pagerduty: PagerDutyServer
) -> None:
    await trigger(http)
    await send(http, event_action="acknowledge", dedup_key="k")
    await trigger(http)
    (incident,) = pagerduty.incidents
    assert (incident.status, pagerduty.pages) == ("acknowledged", ["k"])
    for _ in range(2):
        assert (await send(http, event_action="resolve", dedup_key="k"))[0] == 202
    await trigger(http)
    assert [found.status for found in pagerduty.incidents] == ["resolved", "triggered"]
    assert pagerduty.pages == ["k", "k"]


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ({"event_action": "shout"}, "'event_action' is missing or invalid"),
        ({"event_action": "resolve"}, "'dedup_key' is missing or blank"),
        ({"event_action": "trigger"}, "'payload' is missing or blank"),
        (
            {"event_action": "trigger", "payload": {**PAYLOAD, "severity": "bad"}},
            "'payload.severity' is invalid",
        ),
        (
            {"event_action": "trigger", "payload": {**PAYLOAD, "summary": "x" * 1025}},
            "'payload.summary' is too long",
        ),
        (
            {"event_action": "trigger", "payload": PAYLOAD, "routing_key": "short"},
            "Length of 'routing_key' is incorrect (should be 32 characters)",
        ),
        (
            {"event_action": "trigger", "payload": PAYLOAD, "routing_key": "f" * 32},
            "Invalid routing key",
        ),
    ],
)
async def test_what_is_wrong_with_an_event_is_said(
    http: aiohttp.ClientSession, pagerduty: PagerDutyServer, event: Json, error: str
) -> None:
    status, answer = await send(http, **event)
    assert status == 400
    assert answer["status"] == "invalid event"
    assert answer["message"] == "Event object is invalid"
    assert error in answer["errors"][0]
    assert pagerduty.incidents == []


async def test_what_is_no_json_is_unrecognized(http: aiohttp.ClientSession) -> None:
    async with http.post("/v2/enqueue", data=b"{") as answer:
        assert answer.status == 400
        assert (await answer.json())["status"] == "Unrecognized object"


async def test_an_event_over_512_kilobytes_is_too_large(http: aiohttp.ClientSession) -> None:
    big = {**PAYLOAD, "custom_details": {"x": "x" * 512 * 1024}}
    event = {"routing_key": KEY, "event_action": "trigger", "payload": big}
    async with http.post("/v2/enqueue", json=event) as answer:
        assert answer.status == 413


async def test_incidents_are_found_by_key_and_status(http: aiohttp.ClientSession) -> None:
    await trigger(http, "a")
    await trigger(http, "b")
    async with http.get("/incidents", params={"incident_key": "b"}, headers=AUTH) as answer:
        (found,) = (await answer.json())["incidents"]
    assert (found["incident_key"], found["status"], found["urgency"]) == ("b", "triggered", "high")
    params = {"statuses[]": "resolved"}
    async with http.get("/incidents", params=params, headers=AUTH) as answer:
        assert (await answer.json())["incidents"] == []


async def test_notes_are_written_by_a_known_user_and_read_back(
    http: aiohttp.ClientSession, pagerduty: PagerDutyServer
) -> None:
    await trigger(http)
    path = f"/incidents/{pagerduty.incidents[0].id}/notes"
    note = {"note": {"content": "restarted"}}
    async with http.post(path, json=note, headers=AUTH) as answer:
        assert answer.status == 200
        assert (await answer.json())["note"]["content"] == "restarted"
    async with http.get(path, headers=AUTH) as answer:
        assert [n["content"] for n in (await answer.json())["notes"]] == ["restarted"]
    assert "note by healer@example.com: restarted" in pagerduty.render()


@pytest.mark.parametrize(
    ("headers", "content", "status"),
    [
        ({"Authorization": "Token token=x"}, "a", 401),
        ({"Authorization": AUTH["Authorization"]}, "a", 400),
        (AUTH, "", 400),
    ],
)
async def test_a_note_is_refused_without_token_sender_or_content(
    http: aiohttp.ClientSession,
    pagerduty: PagerDutyServer,
    headers: dict[str, str],
    content: str,
    status: int,
) -> None:
    await trigger(http)
    path = f"/incidents/{pagerduty.incidents[0].id}/notes"
    async with http.post(path, json={"note": {"content": content}}, headers=headers) as answer:
        assert answer.status == status
        assert (await answer.json())["error"]["message"]
    assert pagerduty.incidents[0].notes == []


async def test_a_note_for_an_unknown_incident_is_not_found(http: aiohttp.ClientSession) -> None:
    async with http.post("/incidents/QX/notes", json={}, headers=AUTH) as answer:
        assert answer.status == 404


async def test_its_state_can_be_read_over_http(http: aiohttp.ClientSession) -> None:
    await trigger(http)
    async with http.get("/lab/state") as answer:
        state = await answer.json()
    assert state["pages"] == ["k"]
    assert "[#1] TRIGGERED  queue is full" in state["text"]


async def test_a_throttled_account_says_when_to_come_back(
    http: aiohttp.ClientSession, pagerduty: PagerDutyServer
) -> None:
    pagerduty.fail(429)
    async with http.post("/v2/enqueue", json={}) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
    await trigger(http)
