"""A bad day of an HTTP server: its next requests end in an error, hang, come back garbled or cut.

What is stored is stored: after `reset-after` the sender cannot know whether it arrived.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from aiohttp import web

Mode = int | Literal["hang", "garbage", "reset", "reset-after"]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class _Plan:
    mode: Mode
    left: int
    path: str


class Outage:
    """The failures that are still to come, in the order they were asked for."""

    def __init__(self) -> None:
        self._plans: list[_Plan] = []
        self._over = asyncio.Event()

    def fail(self, mode: Mode, times: int = 1, *, path: str = "") -> None:
        """Let the next `times` requests fail; with `path`, only those whose path ends so."""
        self._plans.append(_Plan(mode, times, path))

    def end(self) -> None:
        """Forget what was planned, and let go of those that hang."""
        self._plans.clear()
        self._over.set()

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Stands before every handler of the server."""
        plan = next((plan for plan in self._plans if request.path.endswith(plan.path)), None)
        if plan is None or request.path.startswith("/lab/"):
            return await handler(request)
        plan.left -= 1
        if plan.left <= 0:
            self._plans.remove(plan)
        return await self._spoil(plan.mode, request, handler)

    async def _spoil(
        self, mode: Mode, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        match mode:
            case "hang":
                await self._over.wait()
                return web.Response(status=503)
            case "garbage":
                return web.Response(body=b'{"ok": tru<html>', content_type="application/json")
            case "reset":
                return _cut(request)
            case "reset-after":
                await handler(request)
                return _cut(request)
            case status:
                headers = {"Retry-After": "1"} if status == 429 else {}
                return web.Response(status=status, text="out of order", headers=headers)


def _cut(request: web.Request) -> web.Response:
    """Drop the connection without an answer, as a proxy that dies does."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
