"""One connection to an API server: credentials, deadlines, bounds, and errors in our words.

The generated classes of kubernetes_asyncio are not used: their models refuse answers that real
servers give, and hold the whole schema in memory. Its login, its TLS and its requests are.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
import orjson
from pydantic import BaseModel, ValidationError

from healer.client.http import MEBIBYTE, foreign_errors, read_until, timeouts
from healer.client.kubernetes.refusal import reason_of, refused
from healer.errors import ConfigError, Fault, UnavailableError

ModelT = TypeVar("ModelT", bound=BaseModel)

STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
_JSON = "application/json"
_LIMIT = 32 * MEBIBYTE
_SUCCESS = range(200, 300)
_HEARTBEAT_SECONDS = 10.0


def path(*segments: str) -> str:
    """A path of the API; every segment but the first is quoted, so a name cannot leave it."""
    return "/" + "/".join([segments[0], *(quote(one, safe=":") for one in segments[1:])])


def dry(*, dry_run: bool) -> dict[str, str]:
    """The query that makes the API server answer what would be, and store nothing."""
    return {"dryRun": "All"} if dry_run else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call. `doing` is how an error names it: "get deployment production/api"."""

    doing: str
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Any = None
    content_type: str = _JSON
    limit: int = _LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. `cut`: there was more than the limit."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool = False


class Session:
    """Speaks to one API server. `timeout` bounds every call from start to end."""

    def __init__(
        self,
        configuration: Any,
        *,
        timeout: timedelta = timedelta(seconds=10),
        renew: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        from kubernetes_asyncio.client import ApiClient
        from kubernetes_asyncio.stream import WsApiClient

        self._api: Any = ApiClient(configuration)
        self._sockets: Any = WsApiClient(configuration, heartbeat=_HEARTBEAT_SECONDS)
        self._timeout = timeout
        self._renew = renew

    async def close(self) -> None:
        """Close all connections."""
        await self._api.close()
        await self._sockets.close()

    async def get(self, request: Request, model: type[ModelT]) -> ModelT:
        """Do it and read the answer as `model`."""
        return understood(await self.send(request), model, doing=request.doing)

    async def send(self, request: Request) -> bytes:
        """Do it; the body of the answer. Everything but a success is an error."""
        answer = await self.exchange(request)
        if answer.status not in _SUCCESS:
            raise refused(
                request.doing,
                status=answer.status,
                headers=answer.headers,
                body=answer.body,
            )
        if answer.cut:
            message = f"{request.doing}: the answer is longer than {request.limit} bytes"
            raise UnavailableError(message)
        return answer.body

    async def exchange(self, request: Request) -> Answer:
        """Do it; the answer whatever its status is. An expired login is renewed once."""
        answer = await self._once(request)
        if answer.status != HTTPStatus.UNAUTHORIZED or self._renew is None:
            return answer
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                await self._renew()
        except (ConfigError, TimeoutError):
            return answer  # the refusal says more than how the renewal failed
        return await self._once(request)

    async def _once(self, request: Request) -> Answer:
        async with foreign_errors(request.doing), asyncio.timeout(self._timeout.total_seconds()):
            response: aiohttp.ClientResponse = await self._api.call_api(
                request.path,
                request.method,
                query_params=list(request.query.items()),
                header_params={"Content-Type": request.content_type, **request.headers},
                body=request.body,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _request_timeout=timeouts(self._timeout),
            )
            async with response:
                body, cut = await read_until(response, limit=request.limit)
                return Answer(status=response.status, headers=response.headers, body=body, cut=cut)

    @asynccontextmanager
    async def socket(
        self, doing: str, where: str, query: Sequence[tuple[str, str]]
    ) -> AsyncGenerator[aiohttp.ClientWebSocketResponse]:
        """A WebSocket; a refusal of its handshake is told like any other refusal."""
        async with foreign_errors(doing):
            opening = await self._sockets.call_api(
                where,
                "GET",
                query_params=list(query),
                auth_settings=["BearerToken"],
                _preload_content=False,
            )
            try:
                async with asyncio.timeout(self._timeout.total_seconds()):
                    connected: aiohttp.ClientWebSocketResponse = await opening
            except aiohttp.WSServerHandshakeError as error:
                raise _handshake(doing, error) from error
            async with connected:
                yield connected


def _handshake(doing: str, error: aiohttp.WSServerHandshakeError) -> Exception:
    told = {"reason": reason_of(error.status), "message": "the WebSocket handshake was refused"}
    return refused(doing, status=error.status, headers=error.headers or {}, body=orjson.dumps(told))


def understood(body: bytes, model: type[ModelT], *, doing: str) -> ModelT:
    """The body as `model`; an UnavailableError where it is nothing of the kind."""
    try:
        return model.model_validate(orjson.loads(body))
    except (orjson.JSONDecodeError, ValidationError) as error:
        message = f"{doing}: the answer cannot be understood ({type(error).__name__})"
        raise UnavailableError(message) from error


async def from_kubeconfig(
    file: Path, *, context: str | None = None, timeout: timedelta = timedelta(seconds=10)
) -> Session:
    """A session as kubectl would open it with that file. The file is read anew on a 401."""
    from kubernetes_asyncio import config
    from kubernetes_asyncio.client import Configuration

    configuration: Any = Configuration()
    library: Any = config

    async def login() -> None:
        try:
            await library.load_kube_config(
                config_file=str(file),
                context=context,
                client_configuration=configuration,
                persist_config=False,
            )
        except (config.ConfigException, OSError, ValueError) as error:
            raise ConfigError([_fault(str(file), error)]) from error

    await login()
    return Session(configuration, timeout=timeout, renew=login)


async def in_cluster(*, timeout: timedelta = timedelta(seconds=10)) -> Session:
    """A session with the service account of the pod that we are; its token is read anew."""
    from kubernetes_asyncio import config
    from kubernetes_asyncio.client import Configuration

    configuration: Any = Configuration()
    library: Any = config
    try:
        library.load_incluster_config(client_configuration=configuration)
    except (config.ConfigException, OSError) as error:
        raise ConfigError([_fault("in-cluster credentials", error)]) from error
    return Session(configuration, timeout=timeout)


def _fault(where: str, error: Exception) -> Fault:
    return Fault(path=where, line=1, column=1, message=f"cannot log in to Kubernetes: {error}")
