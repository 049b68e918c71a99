"""The API: who may look, who may order, and what comes of it."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any, cast

import pytest

from healer.errors import TimelineError
from healer.intake.auth import Keyring
from healer.intake.openapi import DOCUMENT
from healer.intake.server import application
from healer.intake.slack import SlackDoor
from healer.kit.clock import SystemClock
from healer.model.event import Approved, Closed, Denied, Ending, IncidentId
from healer.model.incident import IncidentState
from tests.fakes.edge import OPERATOR, Served, served
from tests.fakes.edge import edge as edge_of

ORDERS: list[tuple[str, dict[str, str]]] = [
    ("/api/v1/incidents/INC-1/approve", {}),
    ("/api/v1/incidents/INC-1/deny", {"reason": "not now"}),
    ("/api/v1/incidents/INC-1/cancel", {"reason": "mine"}),
    ("/api/v1/pause", {"reason": "maintenance"}),
    ("/api/v1/resume", {}),
]
VIEWS = [
    "/api/v1/incidents",
    "/api/v1/incidents/INC-1",
    "/api/v1/incidents/INC-1/timeline",
    "/api/v1/status",
    "/api/v1/playbooks",
    "/api/v1/openapi.json",
]


@pytest.fixture
async def bare() -> AsyncGenerator[Served]:
    """Without any operator token."""
    async with served(operators=Keyring({})) as made:
        yield made


async def get(edge: Served, path: str) -> tuple[int, dict[str, Any]]:
    async with edge.http.get(path, headers=OPERATOR) as response:
        return response.status, await response.json()


async def order(edge: Served, path: str, fields: object) -> tuple[int, dict[str, Any]]:
    async with edge.http.post(path, json=fields, headers=OPERATOR) as response:
        return response.status, await response.json()


async def test_incidents_come_newest_first_in_pages(edge: Served) -> None:
    for number in range(5):
        await edge.desk.open(f"INC-{number}")
    cursor, pages = "", list[list[str]]()
    for _ in range(3):
        _, page = await get(edge, f"/api/v1/incidents?limit=2&cursor={cursor}")
        pages.append([one["id"] for one in page["incidents"]])
        cursor = page["cursor"]
    assert pages == [["INC-4", "INC-3"], ["INC-2", "INC-1"], ["INC-0"]]
    assert cursor is None


async def test_incidents_are_chosen_by_state_and_service(edge: Served) -> None:
    await edge.desk.asking("INC-1")
    await edge.desk.open("INC-2", service="chat")
    for query, wanted in [("state=asking", "INC-1"), ("service=chat", "INC-2")]:
        _, page = await get(edge, f"/api/v1/incidents?{query}")
        assert [one["id"] for one in page["incidents"]] == [wanted]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("limit=501", "limit must be a number up to 500"),
        ("limit=-1", "limit must be a number"),
        ("limit=٣", "limit must be a number"),
        ("limit=" + "9" * 5000, "limit must be a number"),
        ("cursor=x", "cursor must be a number"),
        ("cursor=9999999999999999999", "cursor must be a number"),
        ("state=dead", "state must be one of open, held"),
    ],
)
async def test_a_wrong_question_is_400_and_says_what_would_be_right(
    edge: Served, query: str, words: str
) -> None:
    status, answer = await get(edge, f"/api/v1/incidents?{query}")
    assert status == 400
    assert words in str(answer["error"])


async def test_one_incident_is_shown_with_its_words(edge: Served) -> None:
    incident = await edge.desk.asking()
    _, shown = await get(edge, f"/api/v1/incidents/{incident}")
    assert shown["state"] == "asking"
    assert shown["headline"] == "INC-1 is asking"
    assert shown["target"] == "production/deployment/llm"
    assert shown["opened_at"] == "2026-01-02T03:04:06Z"


async def test_the_timeline_is_typed_and_in_words(edge: Served) -> None:
    incident = await edge.desk.asking()
    _, answer = await get(edge, f"/api/v1/incidents/{incident}/timeline")
    first, second = answer["entries"]
    assert (first["seq"], first["event"]["type"]) == (1, "Opened")
    assert second["event"]["verdicts"][0]["decision"] == "ask"
    assert second["words"] == "it was Judged"
    _, rest = await get(edge, f"/api/v1/incidents/{incident}/timeline?after=1")
    assert rest["entries"] == [second]


@pytest.mark.parametrize("tail", ["", "/timeline"])
async def test_an_unknown_incident_is_404(edge: Served, tail: str) -> None:
    status, answer = await get(edge, f"/api/v1/incidents/INC-404{tail}")
    assert (status, answer["reason"]) == (404, "NotFound")


async def test_approval_carries_the_name_of_the_operator(edge: Served) -> None:
    incident = await edge.desk.asking()
    status, answer = await order(edge, f"/api/v1/incidents/{incident}/approve", {})
    assert (status, answer["done"], answer["by"]) == (200, "approved", "ada")
    assert edge.desk.timelines[incident][-1].event == Approved(by="ada")


async def test_denial_and_cancellation_carry_their_reason(edge: Served) -> None:
    denied, cancelled = await edge.desk.asking("INC-1"), await edge.desk.asking("INC-2")
    await order(edge, f"/api/v1/incidents/{denied}/deny", {"reason": " no "})
    assert edge.desk.timelines[denied][-1].event == Denied(by="ada", reason="no")
    await order(edge, f"/api/v1/incidents/{cancelled}/cancel", {"reason": "mine"})
    closed = Closed(ending=Ending.CANCELLED, reason="ada: mine")
    assert closed in [entry.event for entry in edge.desk.timelines[cancelled]]


@pytest.mark.parametrize("path", [path for path, fields in ORDERS if "reason" in fields])
@pytest.mark.parametrize("fields", [{}, {"reason": " "}, {"reason": 5}, {"reason": "x" * 3000}])
async def test_an_order_without_a_reason_is_400(
    edge: Served, path: str, fields: dict[str, object]
) -> None:
    await edge.desk.asking()
    status, answer = await order(edge, path, fields)
    assert status == 400
    assert "reason" in str(answer["error"])
    assert len(edge.desk.timelines[IncidentId("INC-1")]) == 2


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b"7"])
async def test_an_order_that_is_no_json_object_is_400(edge: Served, content: bytes) -> None:
    async with edge.http.post("/api/v1/resume", data=content, headers=OPERATOR) as response:
        assert response.status == 400


async def test_a_refusal_of_the_engine_carries_its_reason(edge: Served) -> None:
    incident = await edge.desk.open()
    status, answer = await order(edge, f"/api/v1/incidents/{incident}/approve", {})
    assert (status, answer["reason"]) == (409, "NotAsking")
    status, answer = await order(edge, "/api/v1/incidents/INC-404/approve", {})
    assert (status, answer["reason"]) == (404, "NotFound")


async def test_an_order_that_could_not_be_recorded_is_503(edge: Served) -> None:
    incident = await edge.desk.asking()
    edge.desk.broken = TimelineError("disk full")
    status, answer = await order(edge, f"/api/v1/incidents/{incident}/approve", {})
    assert (status, answer) == (503, {"error": "disk full"})


async def test_pause_is_shown_by_status_until_it_is_resumed(edge: Served) -> None:
    await order(edge, "/api/v1/pause", {"reason": "maintenance", "service": "llm"})
    _, status = await get(edge, "/api/v1/status")
    assert status["pauses"] == [{"by": "ada", "reason": "maintenance", "service": "llm"}]
    await order(edge, "/api/v1/resume", {"service": "llm"})
    _, status = await get(edge, "/api/v1/status")
    assert status == {"ready": True, "reason": "", "pauses": []}


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic YWRhOng=", "Bearer"])
@pytest.mark.parametrize("path", VIEWS)
async def test_where_tokens_are_configured_looking_needs_one(
    edge: Served, path: str, header: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header}
    async with edge.http.get(path, headers=headers) as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"] == 'Bearer realm="healer"'


@pytest.mark.parametrize(("path", "fields"), ORDERS)
async def test_orders_need_an_operators_token(
    edge: Served, path: str, fields: dict[str, str]
) -> None:
    await edge.desk.asking()
    async with edge.http.post(path, json=fields) as response:
        assert response.status == 401
    assert edge.desk.pauses() == ()


@pytest.mark.parametrize(("path", "fields"), ORDERS)
async def test_without_tokens_configured_nobody_orders(
    bare: Served, path: str, fields: dict[str, str]
) -> None:
    await bare.desk.asking()
    async with bare.http.post(path, json=fields, headers=OPERATOR) as response:
        assert response.status == 403
        assert "no operator token is configured" in (await response.json())["error"]
    (known,) = (await bare.desk.incidents(limit=1)).incidents
    assert known.state is IncidentState.ASKING


@pytest.mark.parametrize("path", VIEWS)
async def test_without_tokens_configured_loopback_looks(bare: Served, path: str) -> None:
    await bare.desk.asking()
    async with bare.http.get(path) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8080"},
        {"Host": ""},
        {"X-Forwarded-For": "10.0.0.1"},
        {"Forwarded": "for=10.0.0.1"},
    ],
)
async def test_a_page_in_a_browser_or_a_proxy_is_not_loopback(
    bare: Served, headers: dict[str, str]
) -> None:
    async with bare.http.get("/api/v1/incidents", headers=headers) as response:
        assert response.status == 403


def test_every_route_is_described_and_nothing_else() -> None:
    slack = SlackDoor(signing_secret="s", clock=SystemClock())
    app = application(replace(edge_of(), slack=slack))
    served_routes = {
        (route.resource.canonical, route.method.lower())
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    paths = cast("dict[str, dict[str, object]]", DOCUMENT["paths"])
    described = {
        (path, method) for path, item in paths.items() for method in item if method != "parameters"
    }
    assert described == served_routes
