"""The API server: authenticates, authorizes, answers. Objects live in the store it is given."""

import asyncio
import logging
import ssl
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from aiohttp import web

from healer.lab.api.audit import Audit
from healer.lab.api.bootstrap import bootstrap
from healer.lab.api.call import Call, answer
from healer.lab.api.discovery import document
from healer.lab.api.failure import ApiError, no_such_path
from healer.lab.api.openapi import V2_TYPE
from healer.lab.api.rbac import ANONYMOUS, Authorizer, Identity
from healer.lab.api.resource import find
from healer.lab.api.route import dispatch
from healer.lab.api.store import Store
from healer.lab.api.target import Target, parse
from healer.lab.contract import Node

logger = logging.getLogger(__name__)

_HOST = "127.0.0.1"
_LARGEST_BODY = 3 * 1024 * 1024


class ApiServer:
    """Listens from `start` to `stop`; may be started again, as one that forgot its history."""

    def __init__(
        self,
        *,
        store: Store,
        node: Node,
        tokens: Mapping[str, Identity],
        tls: ssl.SSLContext | None = None,
        audit: Path | None = None,
    ) -> None:
        self._store = store
        self._node = node
        self._tokens = dict(tokens)
        self._port = 0
        self._tls = tls
        self._authorizer = Authorizer(store=store)
        self._audit = Audit(audit)
        self._open: set[asyncio.Task[object]] = set()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it listens; known once it was started."""
        return f"{'https' if self._tls else 'http'}://{_HOST}:{self._port}"

    async def start(self) -> None:
        """Listen. The port of the first start is kept for later ones."""
        bootstrap(self._store)
        self._store.history.forget()
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_route("*", "/{tail:.*}", self._answer)
        # A caller that goes ends its watch, its followed log, its command.
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, _HOST, self._port, ssl_context=self._tls)
        await site.start()
        self._port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening; open watches break off, as when a real server dies."""
        for task in tuple(self._open):
            task.cancel()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> "ApiServer":
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    # ---------------------------------------------------------------------------- one request

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        task = asyncio.current_task()
        if task is not None:
            self._open.add(task)
        try:
            return await self._handle(request)
        except ApiError as error:
            return _refusal(error)
        except web.HTTPRequestEntityTooLarge as error:
            return _refusal(ApiError(413, "RequestEntityTooLarge", str(error)))
        except Exception as error:
            logger.exception("request failed: %s %s", request.method, request.path)
            return _refusal(ApiError(500, "InternalError", f"Internal error occurred: {error!r}"))
        finally:
            if task is not None:
                self._open.discard(task)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        who = self._authenticate(request)
        target = parse(request.method, request.path, request.query)
        self._audit.note(who, target, request)
        self._authorizer.demand(who, target)
        if not target.is_resource:
            return _elsewhere(target)
        resource = find(target.group, target.version, target.plural)
        if resource is None:
            raise no_such_path()
        call = Call(
            store=self._store,
            node=self._node,
            authorizer=self._authorizer,
            who=who,
            target=target,
            resource=resource,
            request=request,
        )
        self._demand_more(call)
        return await dispatch(call)

    def _authenticate(self, request: web.Request) -> Identity:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if not token:
            return ANONYMOUS
        found = self._tokens.get(token.strip()) if scheme.lower() == "bearer" else None
        if found is None:
            raise ApiError(401, "Unauthorized", "Unauthorized")
        return Identity(user=found.user, groups=found.groups | {"system:authenticated"})

    def _demand_more(self, call: Call) -> None:
        """Since 1.35 an upgrade to exec needs `create` as well as the `get` of its method."""
        target = call.target
        if (target.plural, target.part, target.verb) == ("pods", "exec", "get"):
            self._authorizer.demand(
                call.who,
                Target(
                    verb="create",
                    path=target.path,
                    group=target.group,
                    version=target.version,
                    namespace=target.namespace,
                    plural=target.plural,
                    name=target.name,
                    part=target.part,
                ),
            )


def _elsewhere(target: Target) -> web.Response:
    """What is no resource: health, discovery."""
    match target.path.rstrip("/"):
        case "/healthz" | "/livez" | "/readyz":
            return web.Response(text="ok")
        case "/openapi/v2":
            return web.Response(body=b"", content_type=V2_TYPE)
        case path:
            found = document(path)
    if found is None:
        raise no_such_path()
    return answer(found)


def _refusal(error: ApiError) -> web.Response:
    seconds = (error.details or {}).get("retryAfterSeconds")
    headers = {"Retry-After": str(seconds)} if seconds else None
    return answer(error.status(), code=error.code, headers=headers)
