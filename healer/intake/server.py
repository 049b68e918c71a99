"""The HTTP edge put together: routes, bounds, the listening socket. It decides nothing."""

import asyncio
import logging
import ssl
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry

from healer.intake.api import Access, Api
from healer.intake.auth import Keyring, WebhookDoor
from healer.intake.contract import Desk, Words
from healer.intake.health import Health
from healer.intake.limit import Gate, Limits
from healer.intake.reply import errors
from healer.intake.slack import Slack, SlackDoor
from healer.intake.stream import Streams
from healer.intake.webhook import Counters, Webhook
from healer.model.playbook import Playbook

_REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n"
    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
)
_HEADERS = 64
_LINGER = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """All that the edge needs. `routes` are added as they are: the web pages."""

    desk: Desk
    words: Words
    registry: CollectorRegistry
    playbooks: Callable[[], Sequence[Playbook]]
    door: WebhookDoor
    operators: Keyring
    slack: SlackDoor | None = None
    limits: Limits = field(default_factory=Limits)
    routes: Iterable[web.AbstractRouteDef] = ()


def application(edge: Edge) -> web.Application:
    """The application; serve it with `listen`."""
    desk, limits = edge.desk, edge.limits
    gate = Gate(requests=limits.requests, octets=limits.octets)
    streams = Streams(desk=desk, words=edge.words, limits=limits)
    webhook = Webhook(
        desk=desk, door=edge.door, gate=gate, limits=limits, counters=Counters(edge.registry)
    )
    # Apart from the webhook's: a storm of alerts must not keep an operator from cancelling.
    orders = Gate(requests=limits.requests, octets=limits.octets)
    api = Api(
        desk=desk,
        words=edge.words,
        playbooks=edge.playbooks,
        access=Access(operators=edge.operators),
        streams=streams,
        gate=orders,
        limits=limits,
    )
    app = web.Application(middlewares=[errors(limits)], client_max_size=limits.body)
    app.router.add_post("/webhook/alertmanager", webhook.handle)
    app.router.add_routes(Health(desk=desk, registry=edge.registry).routes())
    app.router.add_routes(api.routes())
    if edge.slack is not None:
        slack = Slack(desk=desk, door=edge.slack, gate=orders, limits=limits)
        app.router.add_post("/slack/interactions", slack.handle)
    app.router.add_routes(edge.routes)

    async def close_streams(_: web.Application) -> None:
        streams.close()

    async def name_server(_: web.Request, response: web.StreamResponse) -> None:
        response.headers["Server"] = "healer"  # aiohttp would tell its version and Python's

    app.on_shutdown.append(close_streams)
    app.on_response_prepare.append(name_server)
    return app


@asynccontextmanager
async def listen(
    app: web.Application,
    *,
    host: str,
    port: int,
    limits: Limits,
    tls: ssl.SSLContext | None = None,
) -> AsyncGenerator[int]:
    """Serve while the block runs; yields the port. Requests under way are answered at its end."""
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=_Quiet(logging.getLogger(__name__)),
        keepalive_timeout=limits.idle.total_seconds(),
        lingering_time=_LINGER,
        max_headers=_HEADERS,
        auto_decompress=False,  # `unpack` does it, within bounds
        shutdown_timeout=limits.shutdown.total_seconds(),
    )
    await runner.setup()
    try:
        server = await asyncio.get_running_loop().create_server(
            _entrance(runner, limits),
            host,
            port,
            ssl=tls,
            ssl_handshake_timeout=limits.handshake.total_seconds() if tls else None,
            backlog=limits.connections,
        )
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
    finally:
        await runner.cleanup()


def _entrance(runner: web.AppRunner, limits: Limits) -> Callable[[], asyncio.Protocol]:
    """Makes the protocol of each new connection: aiohttp's, or a refusal when there are enough."""
    serving = runner.server
    if serving is None:
        message = "the runner was not set up"
        raise RuntimeError(message)

    def protocol() -> asyncio.Protocol:
        return _Full() if len(serving.connections) >= limits.connections else serving()

    return protocol


class _Full(asyncio.Protocol):
    """Says 503 and hangs up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.WriteTransport):
            transport.write(_REFUSAL)
            transport.close()


class _Quiet(logging.LoggerAdapter[logging.Logger]):
    """What strangers send that is not HTTP is one line, without a trace and without their bytes."""

    def exception(self, msg: object, *args: object, exc_info: Any = True, **_: Any) -> None:
        kind = type(exc_info).__name__ if isinstance(exc_info, BaseException) else "error"
        self.logger.warning(f"{msg} (%s)", *args, kind)  # noqa: G004 - aiohttp's own fixed texts
