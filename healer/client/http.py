"""HTTP as all clients speak it: one way to open a session, to read with a bound, to name a failure.

Knows no protocol above HTTP; what a refusal says in its body is told by the caller.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from http import HTTPStatus

import aiohttp

from healer.errors import HealerError, RejectedError, UnavailableError

_CONNECT = timedelta(seconds=3)
_CHUNK = 64 * 1024
_SHOWN = 300
_TOO_EARLY = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_SERVER_ERROR = 500
MEBIBYTE = 1024 * 1024


def timeouts(total: timedelta) -> aiohttp.ClientTimeout:
    """A limit for all of it and a short one for the handshake: a dead host is noticed soon."""
    connect = min(_CONNECT, total).total_seconds()
    return aiohttp.ClientTimeout(total=total.total_seconds(), connect=connect, sock_connect=connect)


def open_session(
    *, timeout: timedelta, headers: Mapping[str, str] | None = None
) -> aiohttp.ClientSession:
    """A session whose every request ends in time; the caller closes it."""
    return aiohttp.ClientSession(timeout=timeouts(timeout), headers=headers)


@asynccontextmanager
async def foreign_errors(doing: str) -> AsyncGenerator[None]:
    """Whatever the wire throws in here becomes an UnavailableError that says what was tried."""
    try:
        yield
    except TimeoutError as error:
        message = f"{doing}: no answer in time"
        raise UnavailableError(message) from error
    except (aiohttp.ClientError, OSError) as error:
        message = f"{doing}: {type(error).__name__}: {error}"
        raise UnavailableError(message) from error


async def read_bounded(response: aiohttp.ClientResponse, *, limit: int, doing: str) -> bytes:
    """The body, refused where it is longer than `limit`: nobody fills our memory."""
    body, cut = await read_until(response, limit=limit)
    if cut:
        message = f"{doing}: the answer is longer than {limit} bytes"
        raise UnavailableError(message)
    return body


async def read_until(response: aiohttp.ClientResponse, *, limit: int) -> tuple[bytes, bool]:
    """The first `limit` bytes of the body, and whether there was more."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > limit:
            return bytes(body[:limit]), True
    return bytes(body), False


def refusal(
    doing: str, *, status: int, said: str = "", reason: str = "", headers: Mapping[str, str]
) -> HealerError:
    """The error for an answer that is no success: again later, or never."""
    told = f": {said[:_SHOWN]}" if said else ""
    message = f"{doing}: HTTP {status}{told}"
    if status >= _SERVER_ERROR or status in _TOO_EARLY:
        return UnavailableError(message, retry_after=retry_after(headers))
    return RejectedError(message, reason=reason)


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """What the header of that name asks for, where it is a count of seconds."""
    text = headers.get("Retry-After", "").strip()
    return timedelta(seconds=min(int(text), 3600)) if text.isascii() and text.isdigit() else None
