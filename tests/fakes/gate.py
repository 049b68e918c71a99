"""A door before a real server: writes down every request, and can be out of order in every way.

The server behind it stays as it is, so what it holds is what really arrived.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

_TURNS = 5
"""Of the loop: more than it takes from an accepted socket to a connection that can be closed."""
_HOP = frozenset({"connection", "content-length", "host", "keep-alive", "transfer-encoding"})


class Trouble(StrEnum):
    """What a server does that is out of order."""

    REFUSED = "refused"
    HANG = "hang"
    ERROR = "500"
    SLOW_DOWN = "429"
    GARBAGE = "garbage"
    LOST = "lost"
    """Done, but the answer never arrives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request that arrived. `passed`: the server behind got it. `in_vain`: no good answer."""

    method: str
    path: str
    query: str
    body: bytes
    passed: bool
    in_vain: bool


@dataclass
class Gate:
    """Made by `gate`. Opens and closes at the same port.

    `seen` is what arrived, `accepted` what the server behind answered with 2xx.
    """

    upstream: str
    port: int = 0
    tls: ssl.SSLContext | None = None
    seen: list[Seen] = field(default_factory=list[Seen])
    accepted: list[Seen] = field(default_factory=list[Seen])
    trouble: Trouble | None = None
    _mended: asyncio.Event = field(default_factory=asyncio.Event)
    _session: aiohttp.ClientSession | None = None
    _runner: web.AppRunner | None = None
    _listening: socket.socket | None = None
    _held: socket.socket | None = None

    @property
    def url(self) -> str:
        """Where it is to be reached."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def passed(self) -> Sequence[Seen]:
        """What the server behind got."""
        return [one for one in self.seen if one.passed]

    async def fail(self, trouble: Trouble) -> None:
        """From now on, until `mend`."""
        self.trouble = trouble
        self._mended.clear()
        if trouble is Trouble.REFUSED:
            await self.close()
            self._held = _bound(self.port)  # refuses as well, and nobody else takes the port

    async def mend(self) -> None:
        """In order again."""
        was, self.trouble = self.trouble, None
        self._mended.set()
        if was is Trouble.REFUSED:
            await self.open()

    async def open(self) -> None:
        """Listen; the first time at any free port, then always at that one."""
        self._session = aiohttp.ClientSession(auto_decompress=False)
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{tail:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        self._listening, self._held = self._held or _bound(self.port), None
        self.port = int(self._listening.getsockname()[1])
        await web.SockSite(self._runner, self._listening).start()

    async def close(self) -> None:
        """Refuse connections, and drop those that are open."""
        self._mended.set()
        if self._runner is not None and self._listening is not None:
            # asyncio loses, unclosed, what it accepted in the very turn in which a server closes.
            asyncio.get_running_loop().remove_reader(self._listening)
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            await self._runner.cleanup()
            self._runner = None
        if self._session is not None:
            await self._session.close()
            self._session = None
        if self._held is not None:
            self._held.close()
            self._held = None

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        trouble = self.trouble
        seen = Seen(
            method=request.method,
            path=request.path,
            query=request.query_string,
            body=body,
            passed=trouble in (None, Trouble.LOST),
            in_vain=trouble is not None,
        )
        self.seen.append(seen)
        if trouble is None:
            answer = await self._pass(request, body)
            if answer.status < 300:
                self.accepted.append(seen)
            return answer
        if trouble is Trouble.LOST:
            await self._pass(request, body)
        return await self._spoil(trouble, request)

    async def _pass(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if self._session is None:
            return web.Response(status=503)
        try:
            async with self._session.request(
                request.method,
                self.upstream + request.raw_path,
                headers=_kept(request.headers),
                data=body or None,
                allow_redirects=False,
                ssl=self.tls or True,
            ) as found:
                content = await found.read()
                return web.Response(status=found.status, headers=_kept(found.headers), body=content)
        except aiohttp.ClientError as error:  # nobody is behind it just now
            return web.Response(status=502, text=str(error))

    async def _spoil(self, trouble: Trouble, request: web.Request) -> web.StreamResponse:
        match trouble:
            case Trouble.LOST:
                if request.transport is not None:
                    request.transport.abort()
                return web.Response()
            case Trouble.HANG:
                await self._mended.wait()
                return web.Response(status=503)
            case Trouble.SLOW_DOWN:
                return web.Response(status=429, text="slow down", headers={"Retry-After": "1"})
            case Trouble.GARBAGE:
                return web.Response(body=b'{"kind": tru<html>', content_type="application/json")
            case Trouble.ERROR | Trouble.REFUSED:
                return web.Response(status=500, text="out of order")


@asynccontextmanager
async def gate(
    upstream: str, *, port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[Gate]:
    """A gate in order, open while the block runs; `tls` is how to trust the server behind."""
    made = Gate(upstream=upstream, port=port, tls=tls)
    async with AsyncExitStack() as stack:
        await made.open()
        stack.push_async_callback(made.close)
        yield made


def _bound(port: int) -> socket.socket:
    """Has the port (0: any), and does not listen yet."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    return made


def _kept(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    kept = CIMultiDict(headers)
    for name in _HOP:
        kept.popall(name, None)
    return kept
