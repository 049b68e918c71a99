"""Whatever comes in, the edge answers with JSON and a status of its own, never with a 5xx."""

import asyncio
import gzip
from collections.abc import AsyncGenerator

import aiohttp
import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from healer.intake.server import application, listen
from healer.intake.slack import SlackDoor
from healer.kit.clock import SystemClock
from tests.fakes.edge import DELIVERS, OPERATOR
from tests.fakes.edge import edge as edge_of

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
BODY = st.one_of(
    st.binary(max_size=300),
    JSON.map(orjson.dumps),
    st.fixed_dictionaries(
        {"version": st.just("4"), "groupKey": JSON, "receiver": JSON, "alerts": JSON}
    ).map(orjson.dumps),
    st.binary(max_size=100).map(gzip.compress),
)
ENCODING = st.sampled_from(["", "gzip", "deflate", "br", "identity"])
PATHS = [
    "/webhook/alertmanager",
    "/api/v1/incidents/INC-1/approve",
    "/api/v1/incidents/INC-1/deny",
    "/api/v1/pause",
    "/api/v1/resume",
    "/slack/interactions",
    "/nowhere",
]


async def _statuses(requests: list[tuple[str, bytes, str, bool]]) -> set[int]:
    slack = SlackDoor(signing_secret="shh", clock=SystemClock())
    made = edge_of(registry=CollectorRegistry(), slack=slack)
    async with (
        listen(application(made), host="127.0.0.1", port=0, limits=made.limits) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http,
    ):
        return {await _posted(http, *request) for request in requests}


async def _posted(
    http: aiohttp.ClientSession, path: str, body: bytes, encoding: str, chunked: bool
) -> int:
    known = DELIVERS if path.startswith("/webhook") else OPERATOR
    headers = known | ({"Content-Encoding": encoding} if encoding else {})
    # As a stream, so that the client does not pack it itself.
    data: object = _pieces(body) if chunked or encoding else body
    async with http.post(path, data=data, headers=headers) as response:
        await response.json()
        return response.status


async def _pieces(body: bytes) -> AsyncGenerator[bytes]:
    for start in range(0, len(body), 50):
        yield body[start : start + 50]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(PATHS), BODY, ENCODING, st.booleans()), min_size=1, max_size=8
    )
)
def test_any_body_at_any_door_is_answered_with_json_and_never_with_5xx(
    requests: list[tuple[str, bytes, str, bool]],
) -> None:
    assert asyncio.run(_statuses(requests)) <= {200, 400, 401, 404, 409, 413}
