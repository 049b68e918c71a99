"""The inference server of a pod, reached through the API server's pod proxy.

The API server keeps the Authorization header for itself, so the admin key travels in X-Admin-Key.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

import orjson

from healer.client.circuit import Circuit, circuits_of
from healer.client.http import refusal
from healer.client.kubernetes.container import Pod
from healer.client.kubernetes.pod import Pods, ProxyCall
from healer.client.kubernetes.session import Answer
from healer.errors import RejectedError, TemporaryError, UnavailableError
from healer.model.service import Endpoint

_ADMIN_KEY = "X-Admin-Key"
_SUCCESS = range(200, 300)
_LATER = 202
_UNHEALTHY = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One line of /metrics."""

    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What /health answers. `ok` is the server's own word for it: HTTP 200."""

    ok: bool
    status: str
    body: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheUsage:
    """What lies in the cache on the SSD; `old` is what is older than was asked.

    `free_bytes` is what the volume has left; None where the server has not measured it.
    """

    files: int
    bytes: int
    old_files: int
    old_bytes: int
    free_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evicted:
    """What was deleted, or on a dry run what would be."""

    files: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFiles:
    """What a server found when it read every byte of its model and of the backup.

    `cause` is why nothing can be restored (`backup`, `space`, `model`); '' where it can.
    """

    folder: str
    sound: bool
    faults: tuple[str, ...]
    cause: str
    refusal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What came from the backup, or on a dry run would come."""

    files: tuple[str, ...]
    bytes: int


class Inference:
    """One server: a pod of a namespace, at an endpoint."""

    def __init__(self, pods: Pods, *, namespace: str, pod: str, endpoint: Endpoint) -> None:
        self._pods = pods
        self._namespace = namespace
        self._pod = pod
        self._endpoint = endpoint

    async def health(self) -> Health:
        """Healthy or not; an answer of 503 is an answer, not an error."""
        answer = await self._call("GET", "/health", accept=(_UNHEALTHY,))
        body = _json(answer, doing="/health")
        return Health(ok=answer.status in _SUCCESS, status=str(body.get("status", "")), body=body)

    async def components(self) -> Mapping[str, Any]:
        """The health of every component, as the server tells it."""
        answer = await self._call("GET", "/health/components", accept=(_UNHEALTHY,))
        return _json(answer, doing="/health/components")

    async def metrics(self) -> tuple[Sample, ...]:
        """All samples of /metrics."""
        answer = await self._call("GET", "/metrics")
        return parse_metrics(answer.body.decode("utf-8", "replace"))

    async def breakers(self) -> Mapping[str, Any]:
        """The circuit breakers by name."""
        answer = await self._call("GET", "/admin/circuit-breaker/status", admin=True)
        return _json(answer, doing="/admin/circuit-breaker/status")

    async def experts(self) -> Mapping[str, Any]:
        """Of a router: its experts and its classifier."""
        answer = await self._call("GET", "/experts")
        return _json(answer, doing="/experts")

    async def circuits(self) -> tuple[Circuit, ...]:
        """The circuit breakers, each with the health of what it protects, as far as it is told."""
        breakers = await self.breakers()
        components: Mapping[str, Any] = {}
        with suppress(RejectedError, UnavailableError):
            components = await self.components()
        return circuits_of(breakers, components)

    async def reset_breaker(self) -> Mapping[str, Any]:
        """Close the circuit breaker; new failures open it again."""
        answer = await self._call("POST", "/admin/circuit-breaker/reset", admin=True)
        return _json(answer, doing="/admin/circuit-breaker/reset")

    async def cache(self, older_than: timedelta) -> CacheUsage:
        """What lies in the cache, and how much of it is older than that."""
        query = {"older_than_seconds": f"{older_than.total_seconds():g}"}
        answer = await self._call("GET", "/admin/cache", query=query, admin=True)
        told = _json(answer, doing="/admin/cache")
        return CacheUsage(
            files=_count(told, "files"),
            bytes=_count(told, "bytes"),
            old_files=_count(told, "older_files"),
            old_bytes=_count(told, "older_bytes"),
            free_bytes=None if told.get("free_bytes") is None else _count(told, "free_bytes"),
        )

    async def evict_cache(self, older_than: timedelta, *, dry_run: bool) -> Evicted:
        """Delete cache files older than that; on a dry run only count them."""
        body = {"older_than_seconds": older_than.total_seconds(), "dry_run": dry_run}
        answer = await self._call("POST", "/admin/cache/evict", body=body, admin=True)
        told = _json(answer, doing="/admin/cache/evict")
        return Evicted(files=_count(told, "removed_files"), bytes=_count(told, "removed_bytes"))

    async def model_files(self) -> ModelFiles:
        """Are model and backup sound? A TemporaryError while the server is still reading them."""
        answer = await self._call("GET", "/admin/model", admin=True)
        told = _json(answer, doing="/admin/model")
        if answer.status == _LATER:
            message = f"pod {self._pod} is still reading every byte of its model"
            raise TemporaryError(message, retry_after=timedelta(seconds=5))
        faults: list[Any] = told.get("faults") or []
        return ModelFiles(
            folder=str(told.get("folder", "")),
            sound=told.get("sound") is True,
            faults=tuple(str(one["text"]) for one in faults),
            cause=str(told.get("cause", "")),
            refusal=str(told.get("refusal", "")),
        )

    async def restore_model(self, *, dry_run: bool) -> Restored | None:
        """Restore from the backup what is not sound; None while that goes on: ask again."""
        body = {"dry_run": dry_run}
        answer = await self._call("POST", "/admin/model/restore", body=body, admin=True)
        if answer.status == _LATER:
            return None
        told = _json(answer, doing="/admin/model/restore")
        files: list[Any] = told.get("files") or []
        return Restored(files=tuple(map(str, files)), bytes=_count(told, "bytes"))

    async def config(self) -> Mapping[str, Any]:
        """The limits that can be changed while it runs."""
        answer = await self._call("GET", "/admin/config", admin=True)
        return _json(answer, doing="/admin/config")

    async def configure(self, change: Mapping[str, Any]) -> Mapping[str, Any]:
        """Change some of them; all as they then are."""
        answer = await self._call("PATCH", "/admin/config", body=dict(change), admin=True)
        return _json(answer, doing="/admin/config")

    async def _call(
        self,
        method: str,
        where: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        admin: bool = False,
        accept: tuple[int, ...] = (),
    ) -> Answer:
        key = self._endpoint.admin_key
        answer = await self._pods.proxy(
            self._namespace,
            self._pod,
            port=self._endpoint.port,
            call=ProxyCall(
                method=method,
                path=where,
                query=query or {},
                headers={_ADMIN_KEY: key} if admin and key else {},
                body=body,
            ),
        )
        if answer.status in _SUCCESS or answer.status in accept:
            return answer
        said, reason = _said(answer.body)
        raise refusal(
            f"{method} {where} of pod {self._namespace}/{self._pod}",
            status=answer.status,
            said=said,
            reason=reason,
            headers=answer.headers,
        )


def one_per_volume(pods: Iterable[Pod]) -> list[Pod]:
    """One ready pod for each set of claims: its cache is theirs. Without claims, each its own."""
    ready = [pod for pod in pods if pod.ready]
    chosen = {pod.claims or (pod.metadata.uid,): pod for pod in reversed(ready)}
    return sorted(chosen.values(), key=lambda pod: pod.name)


def one_running_per_volume(pods: Iterable[Pod]) -> list[Pod]:
    """The same, of all pods whose server runs: one that is ready where there is one."""
    running = sorted((pod for pod in pods if pod.running), key=lambda pod: (pod.ready, pod.name))
    chosen = {pod.claims or (pod.metadata.uid,): pod for pod in running}
    return sorted(chosen.values(), key=lambda pod: pod.name)


def _said(body: bytes) -> tuple[str, str]:
    """Message and code of an error as OpenAI's API words it, or the beginning of the body."""
    try:
        error: Any = orjson.loads(body)["error"]
        return str(error["message"]), str(error.get("code") or "")
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return body[:300].decode("utf-8", "replace"), ""


def _count(told: Mapping[str, Any], name: str) -> int:
    found = told.get(name)
    if not isinstance(found, int):
        message = f"the inference server told no {name}"
        raise UnavailableError(message)
    return found


def _json(answer: Answer, *, doing: str) -> Mapping[str, Any]:
    try:
        told: Any = orjson.loads(answer.body)
    except orjson.JSONDecodeError as error:
        message = f"{doing}: the answer is no JSON"
        raise UnavailableError(message) from error
    if not isinstance(told, dict):
        message = f"{doing}: the answer is no JSON object"
        raise UnavailableError(message)
    return cast("dict[str, Any]", told)


def parse_metrics(text: str) -> tuple[Sample, ...]:
    """The samples of the text format of Prometheus."""
    from prometheus_client.parser import text_string_to_metric_families

    try:
        return tuple(
            Sample(name=sample.name, labels=dict(sample.labels), value=float(sample.value))
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        )
    except (ValueError, KeyError, IndexError) as error:
        message = f"/metrics: the answer cannot be understood ({error})"
        raise UnavailableError(message) from error
