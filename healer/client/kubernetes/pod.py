"""Pods: list, read, log, exec, evict, delete, and HTTP through the API server's proxy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from healer.client.http import MEBIBYTE, retry_after
from healer.client.kubernetes.container import Pod
from healer.client.kubernetes.exec import Command, Executed, execute
from healer.client.kubernetes.object import Event, Object, Wire
from healer.client.kubernetes.refusal import parse_status, refused
from healer.client.kubernetes.session import Answer, Request, Session, dry, path
from healer.errors import PermanentError, TemporaryError

_TOO_MANY = 429
_SUCCESS = range(200, 300)
_LOG_LIMIT = 4 * MEBIBYTE
_PROXY_LIMIT = 8 * MEBIBYTE
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_MANY_BUDGETS = "more than one PodDisruptionBudget"


class _PodList(Wire):
    items: tuple[Pod, ...] = ()


class _EventList(Wire):
    items: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRequest:
    """Which lines of which life."""

    container: str = ""
    previous: bool = False
    tail: int | None = None
    limit: int = _LOG_LIMIT


class Pods:
    """All that is done with pods."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def select(self, namespace: str, selector: str) -> tuple[Pod, ...]:
        """The pods that a label selector means, by name. An empty selector means a mistake."""
        if not selector.strip():
            message = f"an empty selector would mean every pod of {namespace}: refused"
            raise PermanentError(message)
        request = Request(
            doing=f"list pods {namespace} ({selector})",
            method="GET",
            path=path("api/v1/namespaces", namespace, "pods"),
            query={"labelSelector": selector},
        )
        found = await self._session.get(request, _PodList)
        return tuple(sorted(found.items, key=lambda pod: pod.name))

    async def get(self, namespace: str, name: str) -> Pod:
        """One pod; a RejectedError with the reason NotFound where it is gone."""
        return await self._session.get(
            Request(
                doing=f"get pod {namespace}/{name}",
                method="GET",
                path=path("api/v1/namespaces", namespace, "pods", name),
            ),
            Pod,
        )

    async def events(self, namespace: str, *, about: str = "") -> tuple[Event, ...]:
        """The events of a namespace, or of one object by name; the newest last."""
        query = {"fieldSelector": f"involvedObject.name={about}"} if about else {}
        request = Request(
            doing=f"list events {namespace}",
            method="GET",
            path=path("api/v1/namespaces", namespace, "events"),
            query=query,
        )
        found = await self._session.get(request, _EventList)
        return tuple(sorted(found.items, key=lambda one: one.last_seen or _LONG_AGO))

    async def log(self, namespace: str, name: str, wanted: LogRequest | None = None) -> str:
        """What its container wrote. Bytes that are no UTF-8 are shown as U+FFFD."""
        wanted = wanted or LogRequest()
        query = {"limitBytes": str(wanted.limit)}
        if wanted.container:
            query["container"] = wanted.container
        if wanted.previous:
            query["previous"] = "true"
        if wanted.tail is not None:
            query["tailLines"] = str(wanted.tail)
        request = Request(
            doing=f"read the log of pod {namespace}/{name}",
            method="GET",
            path=path("api/v1/namespaces", namespace, "pods", name, "log"),
            query=query,
            limit=wanted.limit,
        )
        answer = await self._session.exchange(request)
        return _success(request, answer).body.decode("utf-8", "replace")

    async def exec(
        self,
        namespace: str,
        pod: Pod,
        *,
        command: Sequence[str],
        timeout: timedelta,
        stdin: bytes = b"",
    ) -> Executed:
        """Run a command in its main container; it must know how much of `stdin` to read."""
        return await execute(
            self._session,
            namespace,
            pod.name,
            command=Command(words=command, container=pod.main_container, stdin=stdin),
            timeout=timeout,
        )

    async def evict(
        self, namespace: str, name: str, *, uid: str = "", dry_run: bool = False
    ) -> None:
        """Ask for its eviction. A TemporaryError where a budget allows no disruption now."""
        options: Object = {"preconditions": {"uid": uid}} if uid else {}
        body: Object = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
            "deleteOptions": options,
        }
        request = Request(
            doing=f"evict pod {namespace}/{name}",
            method="POST",
            path=path("api/v1/namespaces", namespace, "pods", name, "eviction"),
            query=dry(dry_run=dry_run),
            body=body,
        )
        answer = await self._session.exchange(request)
        if answer.status == _TOO_MANY:
            raise _not_now(request, answer)
        if _MANY_BUDGETS in parse_status(answer.body).message:
            message = f"{request.doing}: two budgets protect it, and then Kubernetes evicts nothing"
            raise PermanentError(message)
        _success(request, answer)

    async def delete(
        self, namespace: str, name: str, *, uid: str = "", dry_run: bool = False
    ) -> None:
        """Delete it, past every budget."""
        body: Object = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if uid:
            body["preconditions"] = {"uid": uid}
        await self._session.send(
            Request(
                doing=f"delete pod {namespace}/{name}",
                method="DELETE",
                path=path("api/v1/namespaces", namespace, "pods", name),
                query=dry(dry_run=dry_run),
                body=body,
            )
        )

    async def proxy(
        self,
        namespace: str,
        pod: str,
        *,
        port: int,
        call: "ProxyCall",
    ) -> Answer:
        """One HTTP call to a port of a pod; its answer, whatever the status.

        The API server keeps the Authorization header for itself: a key of the pod's own travels
        in another header. What it answers in its own name carries a Status body.
        """
        where = path("api/v1/namespaces", namespace, "pods", f"{pod}:{port}", "proxy")
        request = Request(
            doing=f"{call.method} {call.path} of pod {namespace}/{pod}",
            method=call.method,
            path=where + call.path,
            query=call.query,
            headers=call.headers,
            body=call.body,
            limit=_PROXY_LIMIT,
        )
        answer = await self._session.exchange(request)
        if answer.status not in _SUCCESS and parse_status(answer.body).status == "Failure":
            raise refused(
                request.doing, status=answer.status, headers=answer.headers, body=answer.body
            )
        return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyCall:
    """What is asked of a pod. `path` begins with a slash and is written by us, never by others."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any = None


def _success(request: Request, answer: Answer) -> Answer:
    if answer.status in _SUCCESS:
        return answer
    raise refused(request.doing, status=answer.status, headers=answer.headers, body=answer.body)


def _not_now(request: Request, answer: Answer) -> TemporaryError:
    told = parse_status(answer.body)
    if not told.caused_by("DisruptionBudget"):
        message = f"{request.doing}: too many requests: {told.message}"
        return TemporaryError(message, retry_after=retry_after(answer.headers))
    causes = "; ".join(cause.message for cause in told.details.causes if cause.message)
    message = f"{request.doing}: the budget allows no disruption now ({causes or told.message})"
    return TemporaryError(message, retry_after=retry_after(answer.headers))
