"""Ids in logs and answers, and spans as an OpenTelemetry collector gets them."""

import json
import logging
from collections.abc import Generator
from io import StringIO
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from inference.identity import CURRENT, Identity, identity_of
from inference.logs import JsonFormatter
from inference.server import Server
from inference.settings import Settings, SettingsError, load
from inference.spans import NoTracer, OpenTelemetry, tracer_of
from tests.inference.running import Start

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture
def lines() -> Generator[StringIO]:
    """What the server logs, as it writes it."""
    out = StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("inference")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield out
    logger.removeHandler(handler)
    logger.setLevel(before)


def told(lines: StringIO, event: str) -> dict[str, Any]:
    found = [json.loads(line) for line in lines.getvalue().splitlines()]
    return next(line for line in found if line.get("event") == event)


@pytest.mark.parametrize(
    ("given", "parent", "kept", "trace"),
    [
        ("abc-1", PARENT, True, TRACE),
        (None, None, False, ""),
        ("x" * 129, "00-nonsense", False, ""),
        ('a"}\n{"level": "CRITICAL', f"00-{'0' * 32}-00f067aa0ba902b7-01", False, ""),
    ],
)
def test_an_id_that_is_none_is_not_repeated(
    given: str | None, parent: str | None, kept: bool, trace: str
) -> None:
    found = identity_of(given, parent)
    assert (found.request == given) == kept
    assert found.trace == trace
    assert found.request.isprintable()


def test_a_line_carries_the_ids_of_the_request_it_is_about() -> None:
    record = logging.makeLogRecord({"msg": "x"})
    assert "request_id" not in json.loads(JsonFormatter().format(record))
    token = CURRENT.set(Identity(request="r1", trace="t1"))
    found = json.loads(JsonFormatter().format(record))
    CURRENT.reset(token)
    assert (found["request_id"], found["trace_id"]) == ("r1", "t1")


@pytest.mark.real
async def test_the_answer_and_the_log_carry_the_clients_id_and_trace(
    start: Start, lines: StringIO
) -> None:
    running = await start()
    headers = {"X-Request-Id": "mine-7", "traceparent": PARENT}
    for stream in (False, True):
        body = {"prompt": "hello", "max_tokens": 2, "stream": stream}
        async with running.client.post("/v1/completions", json=body, headers=headers) as response:
            assert response.headers["X-Request-Id"] == "mine-7"
            await response.read()
    ended = told(lines, "request")
    assert (ended["request_id"], ended["trace_id"]) == ("mine-7", TRACE)
    async with running.client.post("/v1/completions", json={}) as response:
        assert response.status == 400
        assert response.headers["X-Request-Id"].startswith("req-")
    async with running.client.get("/health") as response:
        assert "X-Request-Id" not in response.headers


@pytest.mark.real
async def test_a_request_is_a_span_below_the_clients(model_dir: Any, lines: StringIO) -> None:
    exporter = InMemorySpanExporter()
    tracer = OpenTelemetry(model="tiny", exporter=exporter)
    server, answers = Server(Settings(model=model_dir), tracer=tracer), list[dict[str, Any]]()
    async with TestClient(TestServer(server.application())) as client:
        await server.ready()
        body = {"prompt": "hello", "max_tokens": 3, "temperature": 0}
        for headers in ({"traceparent": PARENT}, {}):
            async with client.post("/v1/completions", json=body, headers=headers) as response:
                assert response.status == 200
                answers.append(await response.json())
        await client.get("/health")
        async with client.post("/v1/completions", json={"prompt": "x", "n": 2}) as response:
            assert response.status == 400
    first, second, bad = exporter.get_finished_spans()
    assert first.name == "POST /v1/completions"
    assert first.context is not None
    assert format(first.context.trace_id, "032x") == TRACE
    assert first.parent is not None
    assert format(first.parent.span_id, "016x") == "00f067aa0ba902b7"
    assert second.parent is None
    assert dict(first.attributes or {}) == {
        "http.response.status_code": 200, "inference.status": "success",
        "gen_ai.operation.name": "text_completion",
        "gen_ai.request.model": model_dir.name,
        "gen_ai.request.max_tokens": 3, "gen_ai.request.temperature": 0.0,
        "gen_ai.request.top_p": 1.0,
        "gen_ai.response.id": answers[0]["id"],
        "gen_ai.usage.input_tokens": len(server_tokens(server)), "gen_ai.usage.output_tokens": 3,
    }  # fmt: skip
    assert (bad.attributes or {})["http.response.status_code"] == 400
    assert told(lines, "request")["trace_id"] == TRACE


def server_tokens(server: Server) -> list[int]:
    """The prompt of these tests as the model reads it."""
    serving = server.parts.serving
    assert serving is not None
    return serving.tokenizer.encode("hello")


def test_without_an_endpoint_there_are_no_spans() -> None:
    assert isinstance(tracer_of({}, model="m"), NoTracer)
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    assert isinstance(tracer_of(endpoint | {"OTEL_SDK_DISABLED": "true"}, model="m"), NoTracer)
    made = tracer_of(endpoint, model="m")
    assert isinstance(made, OpenTelemetry)
    made.close()


def test_a_level_that_there_is_not_is_refused() -> None:
    assert load(["--log-level", "debug"], {}).log_level == "debug"
    with pytest.raises(SettingsError, match="debug, info, warning, error, critical"):
        load(["--log-level", "loud"], {})
