"""A listening edge in front of a FakeDesk, on a free loopback port."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
from prometheus_client import CollectorRegistry

from healer.intake.auth import Keyring, WebhookDoor
from healer.intake.server import Edge, application, listen
from healer.model.event import Event
from healer.model.incident import Incident
from tests.fakes.desk import FakeDesk

TOKEN = "t0ken-of-alertmanager"
OPERATOR = {"Authorization": "Bearer t0ken-of-ada"}
DELIVERS = {"Authorization": f"Bearer {TOKEN}"}


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
