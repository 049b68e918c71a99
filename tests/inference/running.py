"""A running server as the tests see it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp.test_utils import TestClient

from inference.server import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server in this process, with a client."""

    client: TestClient[Any, Any]
    server: Server

    async def complete(self, **body: object) -> tuple[int, dict[str, Any]]:
        """POST /v1/completions; greedy unless said otherwise, so that lengths never vary."""
        body = {"temperature": 0, **body}
        async with self.client.post("/v1/completions", json=body) as response:
            return response.status, await response.json()

    async def metrics(self) -> dict[str, float]:
        """Every sample by its name with labels."""
        async with self.client.get("/metrics") as response:
            text = await response.text()
        lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in lines}


Start = Callable[..., Awaitable[Running]]
