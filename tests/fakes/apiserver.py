"""The lab's API server on a free port, over a fake node, with clients that speak HTTP to it."""

import asyncio
import contextlib
import importlib
import io
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from healer.lab.api.certificate import Certificate
from healer.lab.api.kubeconfig import kubeconfig
from healer.lab.api.rbac import Identity, service_account
from healer.lab.api.server import ApiServer
from healer.lab.api.store import Store
from healer.lab.api.termination import stamp
from healer.lab.contract import Object
from healer.lab.controller.run import run_controllers
from tests.fakes.kubelet import FakeNode, Kubelet

# Its types are incomplete: taken as Any, here and nowhere else.
kubernetes: Any = importlib.import_module("kubernetes_asyncio.client")
kubernetes_stream: Any = importlib.import_module("kubernetes_asyncio.stream")
kubernetes_watch: Any = importlib.import_module("kubernetes_asyncio.watch")

ADMIN, JANE, ROBOT = "token-of-admin", "token-of-jane", "token-of-robot"
TOKENS = {
    ADMIN: Identity(user="admin", groups=frozenset({"system:masters"})),
    JANE: Identity(user="jane", groups=frozenset({"readers"})),
    ROBOT: service_account("default", "robot"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server said."""

    code: int
    body: Object
    headers: Any

    @property
    def reason(self) -> str:
        """The reason of a Status."""
        return str(self.body.get("reason", ""))

    @property
    def message(self) -> str:
        """The message of a Status."""
        return str(self.body.get("message", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """A running API server and ways to talk to it."""

    store: Store
    server: ApiServer
    node: FakeNode
    http: aiohttp.ClientSession
    pem: bytes = b""

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str = ADMIN,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Answer:
        """One request; the query is part of the path."""
        headers = {"Content-Type": content_type, "Accept": accept}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = None if body is None else io.BytesIO(json.dumps(body).encode())
        url = f"{self.server.url}{path}"
        async with self.http.request(method, url, headers=headers, data=data) as found:
            raw = await found.read()
            parsed: Object = {}
            if found.content_type == "application/json":
                parsed = json.loads(raw)
            return Answer(code=found.status, body=parsed, headers=found.headers)

    def api(self, token: str = ADMIN, *, kind: Any = None) -> Any:
        """A client of kubernetes_asyncio; close it."""
        configuration = kubernetes.Configuration(host=self.server.url)
        configuration.api_key = {"BearerToken": f"Bearer {token}"}
        return (kind or kubernetes.ApiClient)(configuration=configuration)

    def kubeconfig(self, folder: Path, token: str = ADMIN) -> Path:
        """A file for kubectl."""
        file = folder / "kubeconfig.json"
        file.write_text(json.dumps(kubeconfig(self.server.url, token, ca=self.pem)))
        return file

    async def until(self, holds: Callable[[], Any], *, within: float = 20.0) -> Any:
        """Wait until it returns something true."""
        async with asyncio.timeout(within):
            while not (found := holds()):  # noqa: ASYNC110 many kinds of things are waited for
                await asyncio.sleep(0.01)
            return found

    def pods(self, namespace: str = "default") -> list[Object]:
        """All pods of a namespace."""
        return self.store.list("pods", namespace)


@contextlib.asynccontextmanager
async def serve(
    certificate: Certificate | None = None, *, audit: Path | None = None
) -> AsyncGenerator[Lab]:
    """The server alone: nothing happens but what the test does."""
    store, node = Store(), FakeNode()
    context = certificate.context if certificate else None
    async with (
        ApiServer(store=store, node=node, tokens=TOKENS, tls=context, audit=audit) as server,
        aiohttp.ClientSession() as http,
    ):
        pem = certificate.pem if certificate else b""
        yield Lab(store=store, server=server, node=node, http=http, pem=pem)


@contextlib.asynccontextmanager
async def living(lab: Lab) -> AsyncGenerator[Lab]:
    """The same with controllers and a kubelet that brings pods up at once."""

    async def measure(_namespace: str, _name: str, _pods: Sequence[Object]) -> float | None:
        return None

    kubelet = Kubelet(cluster=lab.store, now=lambda: stamp(lab.store.now()), node=lab.node)
    jobs: tuple[Callable[[], Awaitable[None]], ...] = (
        kubelet.run,
        lambda: run_controllers(lab.store, measure=measure),
    )
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_run(job)) for job in jobs]
        yield lab
        for task in tasks:
            task.cancel()


async def _run(job: Callable[[], Awaitable[None]]) -> None:
    await job()


def pod(name: str, *, node: str = "", **labels: str) -> Object:
    """A pod with one container."""
    spec: Object = {"containers": [{"name": "main", "image": "server:1"}]}
    if node:
        spec["nodeName"] = node
    return {"metadata": {"name": name, "labels": labels}, "spec": spec}


def deployment(name: str = "web", *, replicas: int = 3, image: str = "server:1") -> Object:
    """A deployment of one container with an environment and resources."""
    container = {
        "name": "main",
        "image": image,
        "env": [{"name": "A", "value": "1"}],
        "ports": [{"containerPort": 8000, "name": "http"}],
        "resources": {"requests": {"cpu": "10m"}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [container]},
            },
        },
    }


def autoscaler(*, low: int = 1, high: int = 5, window: int = 300, name: str = "web") -> Object:
    """An autoscaler of the deployment of that name, by the queue of each pod."""
    metric = {
        "type": "Pods",
        "pods": {"metric": {"name": "queue"}, "target": {"averageValue": "10"}},
    }
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": low,
            "maxReplicas": high,
            "metrics": [metric],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": window}},
        },
    }


def budget(name: str = "web", *, app: str = "web", **spec: Any) -> Object:
    """A PodDisruptionBudget for an app."""
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"matchLabels": {"app": app}}, **spec},
    }
