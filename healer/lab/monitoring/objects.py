"""The cluster's objects as Prometheus reads them, under the names of kube-state-metrics.

Only what the shipped rules ask for; written from the objects at every scrape, so it cannot lag.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from aiohttp import web

from healer.lab.contract import Cluster, Object
from healer.lab.node.field import entries, text, value

Labels = dict[str, str]
Row = tuple[Labels, float]


@dataclass(slots=True, kw_only=True)
class ObjectMetrics:
    """`async with ObjectMetrics(cluster=…) as page:` then `page.address`, on loopback."""

    cluster: Cluster
    address: str = ""
    _runner: web.AppRunner | None = field(default=None)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/metrics", self._answer)
        runner = self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        self.address = f"{host}:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, _: web.Request) -> web.Response:
        return web.Response(text=page(self.cluster))


def page(cluster: Cluster) -> str:
    """All of it, in the text format of Prometheus."""
    lines: list[str] = []
    for name, kind, resource, read in _METRICS:
        rows = [row for one in cluster.list(resource) for row in read(one)]
        lines.append(f"# TYPE {name} {kind}")
        lines += [f"{name}{{{_written(labels)}}} {number:g}" for labels, number in rows]
    return "\n".join(lines) + "\n"


def _written(labels: Labels) -> str:
    return ",".join(f'{name}="{content}"' for name, content in labels.items())


def _count(*path: str) -> Callable[[Object], Iterable[Row]]:
    """A number of a deployment; absent is 0, as its controller leaves zeros out."""

    def read(deployment: Object) -> Iterator[Row]:
        meta = deployment["metadata"]
        labels = {"namespace": meta["namespace"], "deployment": meta["name"]}
        yield labels, float(value(deployment, *path) or 0)

    return read


def _restarts(pod: Object) -> Iterator[Row]:
    for labels, status in _containers(pod):
        yield labels, float(status.get("restartCount") or 0)


def _last_end(pod: Object) -> Iterator[Row]:
    for labels, status in _containers(pod):
        if reason := text(status, "lastState", "terminated", "reason"):
            yield {**labels, "reason": reason}, 1.0


def _containers(pod: Object) -> Iterator[tuple[Labels, Object]]:
    meta = pod["metadata"]
    for status in entries(pod, "status", "containerStatuses"):
        where = {"namespace": meta["namespace"], "pod": meta["name"]}
        yield {**where, "container": text(status, "name")}, status


_METRICS: tuple[tuple[str, str, str, Callable[[Object], Iterable[Row]]], ...] = (
    ("kube_deployment_spec_replicas", "gauge", "deployments", _count("spec", "replicas")),
    (
        "kube_deployment_status_replicas_ready",
        "gauge",
        "deployments",
        _count("status", "readyReplicas"),
    ),
    ("kube_pod_container_status_restarts_total", "counter", "pods", _restarts),
    ("kube_pod_container_status_last_terminated_reason", "gauge", "pods", _last_end),
)
