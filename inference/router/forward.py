"""Sends a request to an expert and its answer to the client, byte by byte as it comes.

What an expert has not begun to answer goes to the fallback: generating twice harms nobody.
"""

import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from inference.router.choice import Choice
from inference.router.metrics import FAILED, NOWHERE, Metrics
from inference.router.probe import Standing, Watched

log = logging.getLogger("inference.router.forward")

_PASSED_ON = (
    "Authorization", "X-API-Key", "X-Priority", "X-Request-Timeout", "traceparent", "tracestate",
)  # fmt: skip
_PASSED_BACK = (
    "Content-Type", "Cache-Control", "Retry-After", "WWW-Authenticate", "X-Request-Id",
)  # fmt: skip
_AWAY = frozenset({502, 503})
"""An expert that says so takes no requests now; another may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A request that has been read, and where it is to go."""

    id: str
    body: dict[str, object]
    choice: Choice


class NowhereError(Exception):
    """No expert took the request; the text says what each of them said."""


class Forwarder:
    """Knows the experts and counts what becomes of requests."""

    def __init__(
        self,
        *,
        session: aiohttp.ClientSession,
        watched: Mapping[str, Watched],
        fallback: str,
        metrics: Metrics,
    ) -> None:
        self._session = session
        self._watched = watched
        self._fallback = fallback
        self._metrics = metrics

    async def send(self, request: web.Request, order: Order) -> web.StreamResponse:
        """The answer of the expert that was chosen, or of the fallback."""
        choice = order.choice
        reason: str | None = choice.reason
        said: list[str] = []
        for name in dict.fromkeys((choice.expert, self._fallback)):
            last = name == self._fallback
            try:
                async with self._asked(request, order, name) as answer:
                    if answer.status in _AWAY and not last:
                        said.append(f"{name}: {answer.status}")
                        continue
                    self._count(name, FAILED if said else reason)
                    return await self._relay(request, answer, name)
            except (aiohttp.ClientError, TimeoutError) as error:
                text = str(error) or "no answer in time"
                said.append(f"{name}: {text}")
                self._watched[name].tell(Standing.UNHEALTHY, text)
        self._metrics.requests.labels(expert=NOWHERE).inc()
        self._metrics.errors.labels(reason="unreachable").inc()
        msg = "no expert took the request: " + "; ".join(said)
        raise NowhereError(msg)

    def _count(self, name: str, reason: str | None) -> None:
        self._metrics.requests.labels(expert=name).inc()
        if reason is not None:
            self._metrics.fallbacks.labels(reason=reason).inc()

    @asynccontextmanager
    async def _asked(
        self, request: web.Request, order: Order, name: str
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        expert = self._watched[name].expert
        sent = {key: value for key, value in order.body.items() if key != "model"}
        if expert.model is not None:
            sent["model"] = expert.model
        headers = {key: request.headers[key] for key in _PASSED_ON if key in request.headers}
        headers["X-Request-Id"] = order.id
        url = expert.url + request.path
        async with self._session.post(url, json=sent, headers=headers) as answer:
            yield answer

    async def _relay(
        self, request: web.Request, answer: aiohttp.ClientResponse, name: str
    ) -> web.StreamResponse:
        headers = {key: answer.headers[key] for key in _PASSED_BACK if key in answer.headers}
        response = web.StreamResponse(status=answer.status, headers={**headers, "X-Expert": name})
        await response.prepare(request)
        try:
            async for data in answer.content.iter_any():
                await response.write(data)
        except (aiohttp.ClientError, TimeoutError) as error:
            self._break(request, name, error)
            return response
        await response.write_eof()
        return response

    def _break(self, request: web.Request, name: str, error: Exception) -> None:
        """Half an answer must not look like a whole one: the connection is cut."""
        told = {"event": "routing_broken", "expert": name}
        log.error("Expert broke off: %s", str(error) or type(error).__name__, extra=told)
        self._metrics.errors.labels(reason="broken").inc()
        if request.transport is not None:
            request.transport.abort()
