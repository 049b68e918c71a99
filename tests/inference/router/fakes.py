"""What tests of the router hold in their hands."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from multidict import CIMultiDictProxy

from inference.router.api import Parts
from inference.router.minilm import Vector


class FakeModel:
    """Knows three words; a text is as alike to each as it is made of it."""

    WORDS = ("code", "poem", "law")

    def embed(self, texts: list[str]) -> list[Vector]:
        found: list[Vector] = []
        for text in texts:
            counts = [float(text.count(word)) for word in self.WORDS]
            length = sum(each * each for each in counts) ** 0.5
            found.append([each / (length or 1.0) for each in counts])
        return found


class FakeExpert:
    """An inference server: healthy, sick, away, slow, or one that breaks off."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.status = 200
        self.health = 200
        self.breaks = False
        self.silent = False
        self.asked: list[dict[str, Any]] = []
        self.headers: list[CIMultiDictProxy[str]] = []
        self.cancelled = asyncio.Event()
        app = web.Application()
        app.router.add_get("/health/readiness", self._ready)
        app.router.add_post("/v1/completions", self._complete)
        app.router.add_post("/v1/chat/completions", self._complete)
        self.server = TestServer(app, handler_cancellation=True)

    @property
    def url(self) -> str:
        return str(self.server.make_url("")).rstrip("/")

    async def _ready(self, request: web.Request) -> web.Response:
        del request
        return web.Response(status=self.health)

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(await request.json())
        self.headers.append(request.headers)
        if self.silent:
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled.set()
        if self.status != 200:
            headers = {"Retry-After": "7"}
            return web.json_response({"error": self.name}, status=self.status, headers=headers)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(f"data: {self.name}\n\n".encode())
        if self.breaks:
            assert request.transport is not None
            request.transport.abort()
            return response
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """A running router with a client."""

    client: TestClient[Any, Any]
    parts: Parts
    experts: dict[str, FakeExpert]

    async def ask(self, prompt: str, **more: object) -> tuple[int, str, str]:
        """Status, who answered, and the body."""
        body = {"prompt": prompt, **more}
        async with self.client.post("/v1/completions", json=body) as response:
            return response.status, response.headers.get("X-Expert", ""), await response.text()

    async def metrics(self) -> dict[str, float]:
        """Every sample that is not zero, by its name with labels."""
        async with self.client.get("/metrics") as response:
            text = await response.text()
        lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in lines if float(value)}

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what the router's background work does."""
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - sockets: there is no event to await
                await asyncio.sleep(0.005)


Start = Callable[..., Awaitable[Router]]
