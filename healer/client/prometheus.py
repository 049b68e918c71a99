"""PromQL over prometheus-api-client, which is synchronous: it runs in threads of its own.

Every thread has a client of its own, for a requests session is not made for several. A body is
read with a bound in bytes and in time: the library alone would wait for ever on a slow drip.
"""

import asyncio
import math
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from io import BytesIO
from typing import Any

import orjson

from healer.client.http import MEBIBYTE, refusal
from healer.errors import HealerError, UnavailableError

_LIMIT = 16 * MEBIBYTE
_CHUNK = 64 * 1024
_GRACE_SECONDS = 0.5


class Kind(StrEnum):
    """What PromQL answers with."""

    SCALAR = "scalar"
    VECTOR = "vector"
    MATRIX = "matrix"
    STRING = "string"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One series: its labels and its points (seconds, value). A value may be NaN or infinite."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]

    @property
    def last(self) -> float:
        """Its newest value; NaN where it has none."""
        return self.points[-1][1] if self.points else math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """An answer. Empty, NaN and zero are three different things."""

    kind: Kind
    series: tuple[Series, ...]
    warnings: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Is there no series at all?"""
        return not self.series


@dataclass(slots=True)
class _Exchange:
    """What the hook saw of the answer that a thread is busy with."""

    deadline: float = 0.0
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""


class _TooMuchError(Exception):
    """The body is too long, or comes too slowly."""


class Prometheus:
    """One Prometheus. `timeout` bounds every question; close it at the end."""

    def __init__(
        self,
        url: str,
        *,
        timeout: timedelta = timedelta(seconds=5),
        threads: int = 4,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout.total_seconds()
        self._headers = dict(headers or {})
        self._own = threading.local()
        self._opened: list[Any] = []
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="prometheus")

    async def close(self) -> None:
        """Wait for what runs, at most its deadline, and close all connections."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        for client in self._opened:
            client.close()

    async def query(self, promql: str, *, at: datetime | None = None) -> Reading:
        """The value now, or at a moment."""
        params = {"time": str(at.timestamp())} if at else {}
        return await self._ask(promql, lambda client: client.custom_query(promql, params))

    async def range(
        self, promql: str, *, start: datetime, end: datetime, step: timedelta
    ) -> Reading:
        """The values from `start` to `end`. Both are rounded to whole seconds on the way."""
        width = f"{step.total_seconds():g}"
        return await self._ask(
            promql, lambda client: client.custom_query_range(promql, start, end, width)
        )

    async def _ask(self, promql: str, call: Callable[[Any], Any]) -> Reading:
        doing = f"ask Prometheus for {promql!r}"
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout + _GRACE_SECONDS):
                return await loop.run_in_executor(self._threads, self._exchange, doing, call)
        except TimeoutError as error:
            message = f"{doing}: no answer in {self._timeout:g} s"
            raise UnavailableError(message) from error

    def _exchange(self, doing: str, call: Callable[[Any], Any]) -> Reading:
        """In a thread of ours: one question with the thread's own client."""
        import requests
        from prometheus_api_client.exceptions import PrometheusApiClientException

        client, seen = self._client()
        seen.status, seen.body = 0, b""
        seen.deadline = time.monotonic() + self._timeout
        try:
            call(client)
        except PrometheusApiClientException as error:
            raise _refused(doing, seen) from error
        except _TooMuchError as error:
            message = f"{doing}: {error}"
            raise UnavailableError(message) from error
        except (requests.RequestException, OSError) as error:
            message = f"{doing}: {type(error).__name__}: {error}"
            raise UnavailableError(message) from error
        except (ValueError, KeyError, TypeError) as error:
            raise _garbage(doing) from error
        return _reading(doing, seen.body)

    def _client(self) -> tuple[Any, _Exchange]:
        """The client of this thread, and where its hook writes."""
        from prometheus_api_client.prometheus_connect import PrometheusConnect
        from urllib3.util.retry import Retry

        if not hasattr(self._own, "client"):
            seen = _Exchange()
            client: Any = PrometheusConnect(
                url=self._url,
                headers=self._headers,
                session=_session(seen),
                retry=Retry(total=0, redirect=0),
                timeout=self._timeout,  # pyright: ignore[reportArgumentType] - seconds may be broken
            )
            self._own.client, self._own.seen = client, seen
            self._opened.append(client)
        return self._own.client, self._own.seen


def _session(seen: _Exchange) -> Any:
    """A requests session that leaves the body to our hook."""
    import requests

    def on_response(response: Any, **_: object) -> Any:
        seen.status = response.status_code
        seen.headers = dict(response.headers)
        try:
            seen.body = _read(response.raw, until=seen.deadline)
        except BaseException:
            response.raw.close()  # half read: it must not go back into the pool
            raise
        response.raw = BytesIO(seen.body)
        return response

    session = requests.Session()
    session.hooks["response"] = [on_response]
    return session


def _read(raw: Any, *, until: float) -> bytes:
    body = bytearray()
    for chunk in raw.stream(_CHUNK, decode_content=True):
        body += chunk
        if len(body) > _LIMIT:
            message = f"the answer is longer than {_LIMIT} bytes"
            raise _TooMuchError(message)
        if time.monotonic() > until:
            message = "the answer came too slowly"
            raise _TooMuchError(message)
    return bytes(body)


def _refused(doing: str, seen: _Exchange) -> HealerError:
    """Prometheus says in JSON why not, but what stands before it may answer anything."""
    try:
        told: Any = orjson.loads(seen.body)
        said, reason = str(told["error"]), str(told["errorType"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        said, reason = seen.body[:200].decode("utf-8", "replace"), ""
    return refusal(doing, status=seen.status, said=said, reason=reason, headers=seen.headers)


def _garbage(doing: str) -> UnavailableError:
    return UnavailableError(f"{doing}: the answer cannot be understood")


def _reading(doing: str, body: bytes) -> Reading:
    try:
        told: Any = orjson.loads(body)
        kind = Kind(told["data"]["resultType"])
        warnings = tuple(str(one) for one in told.get("warnings") or ())
        return Reading(kind=kind, series=_series(kind, told["data"]["result"]), warnings=warnings)
    except (orjson.JSONDecodeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _garbage(doing) from error


def _series(kind: Kind, result: Any) -> tuple[Series, ...]:
    match kind:
        case Kind.SCALAR:
            return (Series(labels={}, points=(_point(result),)),)
        case Kind.VECTOR:
            return tuple(
                Series(labels=dict(one["metric"]), points=(_point(one["value"]),)) for one in result
            )
        case Kind.MATRIX:
            return tuple(
                Series(labels=dict(one["metric"]), points=tuple(map(_point, one["values"])))
                for one in result
            )
        case Kind.STRING:
            message = "a string is no number"
            raise ValueError(message)


def _point(pair: Any) -> tuple[float, float]:
    """Values travel as text: "NaN" and "+Inf" are among them."""
    moment, value = pair
    return float(moment), float(value)
