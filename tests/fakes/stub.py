"""An HTTP server that answers what a test tells it to, and remembers what it was asked."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass(slots=True)
class Stub:
    """`on` sets the answer for a method and a path; the last of several answers stays."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list[Asked])
    _answers: dict[tuple[str, str], list[Handler]] = field(
        default_factory=dict[tuple[str, str], list[Handler]]
    )

    def on(self, method: str, path: str, *handlers: Handler) -> None:
        self._answers[(method, path)] = list(handlers)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        upgrade = "upgrade" in request.headers.get("Connection", "").lower()
        self.asked.append(
            Asked(
                method=request.method,
                path=request.path,
                query=dict(request.query),
                headers=dict(request.headers),
                body=b"" if upgrade else await request.read(),
            )
        )
        waiting = self._answers.get((request.method, request.path))
        if waiting is None:
            return web.Response(status=404, text=f"nothing on {request.method} {request.path}")
        handler = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return await handler(request)


def says(
    body: object = None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    raw: bytes | None = None,
) -> Handler:
    """Answer a JSON body, or raw bytes."""

    async def handler(_: web.Request) -> web.StreamResponse:
        content = orjson.dumps(body) if raw is None else raw
        kind = "application/json" if raw is None else "text/plain"
        return web.Response(status=status, body=content, content_type=kind, headers=headers)

    return handler


def refuses(code: int, reason: str, message: str, *, causes: list[Any] | None = None) -> Handler:
    """Answer a Status as a Kubernetes API server words a refusal."""
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": reason,
        "message": message,
        "code": code,
        "details": {"causes": causes or []},
    }
    return says(body, status=code)


def hangs(until: asyncio.Event) -> Handler:
    """Answer only when it is over."""

    async def handler(_: web.Request) -> web.StreamResponse:
        await until.wait()
        return web.Response()

    return handler


async def drips(request: web.Request) -> web.StreamResponse:
    """Answer an octet now and then, for ever."""
    response = web.StreamResponse()
    await response.prepare(request)
    while request.transport and not request.transport.is_closing():
        await response.write(b" ")
        await asyncio.sleep(0.02)
    return response


async def hangs_up(request: web.Request) -> web.StreamResponse:
    """Break the connection instead of an answer."""
    assert request.transport
    request.transport.abort()
    return web.Response()


@asynccontextmanager
async def stub_server() -> AsyncGenerator[Stub]:
    """A stub on a free port of the loopback."""
    stub = Stub()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", stub.handle)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    stub.url = str(server.make_url("")).rstrip("/")
    try:
        yield stub
    finally:
        await server.close()
