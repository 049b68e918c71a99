"""A listening edge in front of a FakeDesk, on a free loopback port."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import aiohttp
import orjson
from prometheus_client import CollectorRegistry

from healer.intake.auth import Keyring, WebhookDoor
from healer.intake.server import Edge, application, listen
from healer.model.event import Event
from healer.model.incident import Incident
from tests.fakes.desk import FakeDesk

TOKEN = "t0ken-of-alertmanager"
OPERATOR = {"Authorization": "Bearer t0ken-of-ada"}
DELIVERS = {"Authorization": f"Bearer {TOKEN}"}
PATH = "/webhook/alertmanager"


class PlainWords:
    """Says the type of things."""

    def say(self, event: Event) -> str | None:
        return f"it was {type(event).__name__}"

    def detail(self, event: Event) -> str:
        return f"it was {type(event).__name__}, in full"

    def headline(self, incident: Incident) -> str:
        return f"{incident.id} is {incident.state}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What a test needs of it."""

    desk: FakeDesk
    http: aiohttp.ClientSession
    registry: CollectorRegistry
    port: int


def edge(**changes: Any) -> Edge:
    """One with a token for Alertmanager and one for the operator ada."""
    plain = Edge(
        desk=FakeDesk(),
        words=PlainWords(),
        registry=CollectorRegistry(),
        playbooks=tuple,
        door=WebhookDoor(tokens=["other", TOKEN], passwords={"am": "secret"}),
        operators=Keyring({"t0ken-of-ada": "ada", "t0ken-of-bob": "bob"}),
    )
    return replace(plain, **changes)


@asynccontextmanager
async def served(**changes: Any) -> AsyncGenerator[Served]:
    """Listening while the block runs."""
    desk = FakeDesk()
    made = edge(desk=desk, **changes)
    async with (
        listen(application(made), host="127.0.0.1", port=0, limits=made.limits) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http,
    ):
        yield Served(desk=desk, http=http, registry=made.registry, port=port)


def delivery(*names: str, **changes: object) -> dict[str, object]:
    """What Alertmanager posts when these alerts begin to fire."""
    alerts = [
        {
            "status": "firing",
            "labels": {"alertname": name, "service": "llm"},
            "startsAt": "2026-01-02T03:04:05Z",
            "fingerprint": f"of-{name}",
        }
        for name in names
    ]
    return {"version": "4", "groupKey": "{}", "receiver": "healer", "alerts": alerts} | changes


async def post(edge: Served, body: object, **headers: str) -> tuple[int, dict[str, object]]:
    """Deliver it; the status and the answer, which is JSON whatever it says."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    async with edge.http.post(PATH, data=BytesIO(content), headers=DELIVERS | headers) as response:
        assert response.content_type == "application/json"
        return response.status, await response.json()
