"""Priorities, deadlines, budgets and the API key, over HTTP with the real model."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.inference.running import Running, Start

pytestmark = pytest.mark.real


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - threads and sockets: there is no event to await
            await asyncio.sleep(0.005)


async def _ask(
    running: Running, headers: dict[str, str], **body: Any
) -> tuple[int, dict[str, Any]]:
    content = {"prompt": "x", "temperature": 0, **body}
    async with running.client.post("/v1/completions", json=content, headers=headers) as response:
        return response.status, await response.json()


async def test_high_priority_is_served_first_by_header_and_by_body(start: Start) -> None:
    running = await start(max_num_seqs=1, step_floor=0.005)
    queued = running.server.parts.admission
    order: list[str] = []

    async def ask(name: str, headers: dict[str, str], **body: Any) -> None:
        status, _ = await _ask(running, headers, max_tokens=10, **body)
        assert status == 200
        order.append(name)

    waiting: list[tuple[str, dict[str, str], dict[str, Any]]] = [
        ("low", {}, {"priority": "low"}),
        ("plain", {}, {}),
        ("body", {}, {"priority": -20}),
        ("header", {"X-Priority": "high"}, {"priority": "low"}),
    ]
    async with asyncio.TaskGroup() as group:
        group.create_task(_ask(running, {}, max_tokens=100))
        await _until(lambda: queued.active == 1)
        for number, (name, headers, body) in enumerate(waiting):
            group.create_task(ask(name, headers, **body))
            await _until(lambda wanted=number: queued.queued == wanted + 1)  # type: ignore[misc] # a default binds the number
    assert order == ["body", "header", "plain", "low"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_deadline_ends_the_request_and_frees_its_slot(
    start: Start, *, stream: bool
) -> None:
    running = await start(step_floor=0.02)
    parts = running.server.parts
    body = {"prompt": "x", "max_tokens": 1000, "stream": stream, "temperature": 0}
    headers = {"X-Request-Timeout": "0.3"}
    async with running.client.post("/v1/completions", json=body, headers=headers) as response:
        text = await response.text()
        assert response.status == (200 if stream else 504)
    if stream:
        events = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
        assert events.pop() == "[DONE]"
        text = events.pop()
    assert json.loads(text)["error"]["code"] == "deadline_exceeded"
    await _until(lambda: parts.models.progress().running == 0 and parts.admission.active == 0)
    assert parts.models.progress().tokens < 100
    assert (await running.metrics())['request_count_total{status="expired"}'] == 1


async def test_time_spent_waiting_counts_and_the_server_may_set_a_limit_of_its_own(
    start: Start,
) -> None:
    running = await start(max_num_seqs=1, step_floor=0.01, request_timeout=0.5)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(_ask(running, {}, max_tokens=1000))
        await _until(lambda: running.server.parts.admission.active == 1)
        late = group.create_task(_ask(running, {"X-Request-Timeout": "0.1"}))
        own = group.create_task(_ask(running, {"X-Request-Timeout": "100"}, max_tokens=1000))
    assert [task.result()[0] for task in (first, late, own)] == [504, 504, 504]
    assert "before there was a place" in late.result()[1]["error"]["message"]


@pytest.mark.parametrize(
    ("headers", "body", "param"),
    [
        ({"X-Priority": "urgent"}, {}, "priority"),
        ({"X-Priority": "101"}, {}, "priority"),
        ({}, {"priority": "urgent"}, "priority"),
        ({}, {"priority": True}, "priority"),
        ({"X-Request-Timeout": "soon"}, {}, "X-Request-Timeout"),
        ({"X-Request-Timeout": "-1"}, {}, "X-Request-Timeout"),
        ({"X-Request-Timeout": "nan"}, {}, "X-Request-Timeout"),
    ],
)
async def test_a_claim_that_is_none_is_refused_and_named(
    start: Start, headers: dict[str, str], body: dict[str, Any], param: str
) -> None:
    status, told = await _ask(await start(), headers, **body)
    assert (status, told["error"]["param"]) == (400, param)


async def test_the_token_budget_is_checked_before_anything_is_queued(start: Start) -> None:
    running = await start(max_request_tokens=20)
    status, told = await _ask(running, {}, prompt=[5] * 10, max_tokens=11)
    assert (status, told["error"]["code"]) == (400, "context_length_exceeded")
    assert "the budget of 20" in told["error"]["message"]
    assert (await _ask(running, {}, prompt=[5] * 10, max_tokens=10))[0] == 200
    assert running.server.parts.admission.rejected == 0


async def test_the_api_key_and_the_admin_key_open_only_their_own_doors(start: Start) -> None:
    running = await start(api_key="ap1", admin_key="adm")
    for headers in (
        {},
        {"Authorization": "Bearer adm"},
        {"X-API-Key": "no"},
        {"X-Admin-Key": "adm"},
    ):
        status, told = await _ask(running, headers, max_tokens=1)
        assert (status, told["error"]["code"]) == (401, "invalid_api_key")
        assert "ap1" not in json.dumps(told)
    for headers in ({"Authorization": "Bearer ap1"}, {"X-API-Key": "ap1"}):
        assert (await _ask(running, headers, max_tokens=1))[0] == 200
        async with running.client.get("/admin/config", headers=headers) as response:
            assert response.status == 401
        async with running.client.post("/v1/models/tiny/unload", headers=headers) as response:
            assert response.status == 401
    for path, expected in (("/v1/models", 401), ("/health", 200), ("/metrics", 200)):
        async with running.client.get(path) as response:
            assert response.status == expected
