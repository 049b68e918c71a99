"""Answers: JSON always, errors included. Reading of bodies within bounds, and what they may say."""

import asyncio
import logging
from collections.abc import Mapping
from typing import cast

import orjson
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler, Middleware

from healer.errors import RejectedError, TemporaryError, TimelineError
from healer.intake.limit import FullError, Limits, Slot
from healer.intake.unpack import Unpacker, UnpackError

_log = logging.getLogger(__name__)


class RefusedError(Exception):
    """An answer that is not 200, on its way out of a handler."""

    def __init__(
        self,
        status: int,
        error: str,
        *,
        details: Mapping[str, object] | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.details = dict(details or {})
        self.headers = headers

    def response(self) -> web.Response:
        """The answer itself."""
        response = reply({"error": self.error, **self.details}, status=self.status)
        for name, content in self.headers:
            response.headers.add(name, content)
        return response


def reply(document: object, *, status: int = 200) -> web.Response:
    """`document` as JSON."""
    return web.Response(body=orjson.dumps(document), status=status, content_type="application/json")


def retry_later(error: str, limits: Limits) -> RefusedError:
    """503: nothing was recorded, and it may be tried again."""
    seconds = max(1, round(limits.retry_after.total_seconds()))
    return RefusedError(503, error, headers=(("Retry-After", str(seconds)),))


async def read(request: web.Request, slot: Slot, limits: Limits) -> bytes:
    """The whole body, unpacked, or RefusedError. The time for all of it is bounded."""
    if (request.content_length or 0) > limits.body:
        raise _too_large(limits)
    try:
        body = _Body(request, slot, limits)
        if request.content.is_eof():  # it came with its headers: there is nothing to wait for
            body.take(request.content.read_nowait())
            return body.whole()
        async with asyncio.timeout(limits.read.total_seconds()):
            async for chunk in request.content.iter_any():
                body.take(chunk)
        return body.whole()
    except TimeoutError:
        # Not 408: for Alertmanager every 4xx is final, and a slow network is not its fault.
        raise retry_later("the body took too long to arrive", limits) from None
    except (web.RequestPayloadError, HttpProcessingError, UnpackError) as error:
        said = str(error) if isinstance(error, UnpackError) else type(error).__name__
        raise RefusedError(400, f"the body: {said}", details={"where": "body"}) from None
    except FullError as error:
        raise retry_later(str(error), limits) from None


class _Body:
    """What has come so far, unpacked, and never more of it than there is room for."""

    def __init__(self, request: web.Request, slot: Slot, limits: Limits) -> None:
        self._unpacker = Unpacker(request.headers.get("Content-Encoding", ""))
        self._slot = slot
        self._limits = limits
        self._chunks: list[bytes] = []

    def take(self, chunk: bytes) -> None:
        """RefusedError, FullError or UnpackError where it can be no part of a body."""
        slot, limits = self._slot, self._limits
        unpacked = self._unpacker.feed(chunk, most=limits.body - slot.size)
        if slot.size + len(unpacked) > limits.body:
            raise _too_large(limits)
        slot.grow(len(unpacked))
        self._chunks.append(unpacked)

    def whole(self) -> bytes:
        """All of it; UnpackError where the packed content has no end."""
        self._unpacker.finish()
        return b"".join(self._chunks)


def _too_large(limits: Limits) -> RefusedError:
    return RefusedError(413, f"the body is larger than {limits.body} octets")


def document(body: bytes) -> dict[str, object]:
    """The JSON object of an operator's request; an empty body is an empty object."""
    try:
        content: object = orjson.loads(body) if body.strip() else {}
    except orjson.JSONDecodeError as error:
        raise RefusedError(400, f"the body is not JSON: {error.msg}") from None
    if not isinstance(content, dict):
        raise RefusedError(400, "the body must be a JSON object")
    return cast("dict[str, object]", content)


def errors(limits: Limits) -> Middleware:
    """A middleware: every error becomes JSON, and unexpected ones a log line without the body."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except RefusedError as error:
            return error.response()
        except web.HTTPException as error:
            allow = error.headers.get("Allow")
            headers = (("Allow", allow),) if allow else ()
            return RefusedError(error.status, error.reason.lower(), headers=headers).response()
        except ConnectionError:
            raise
        except RejectedError as error:
            status = 404 if error.reason == "NotFound" else 409
            return RefusedError(status, str(error), details={"reason": error.reason}).response()
        except (TimelineError, TemporaryError) as error:
            return retry_later(str(error), limits).response()
        except Exception:  # noqa: BLE001 - the last door: the client gets JSON, the log the trace
            _log.exception("%s %s failed", request.method, request.path)
            return RefusedError(500, "internal error; the log of healer says more").response()

    return middleware
