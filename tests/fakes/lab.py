"""The lab's API server and controllers, both real, over a kubelet that starts nothing."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from healer.action.contract import ParamsT, StepContext
from healer.client.kubernetes.cluster import Kubernetes, connect
from healer.lab.api.kubeconfig import kubeconfig
from healer.lab.api.rbac import MASTERS, Identity, service_account
from healer.lab.api.server import ApiServer
from healer.lab.api.store import Store
from healer.lab.contract import Object
from healer.lab.controller.run import run_controllers
from healer.model.effect import Permission
from healer.model.event import IncidentId
from healer.model.matcher import Matcher, MatchOp
from healer.model.service import Service, Target
from tests.fakes.kubelet import FakeNode, Kubelet

NAMESPACE = "production"
SELECTOR = "app=api"
_ADMIN, _HEALER = "token-of-the-admin", "token-of-healer"
_RBAC = "rbac.authorization.k8s.io"


@dataclass(slots=True, kw_only=True)
class Lab:
    """A cluster with a deployment `api` of three replicas, and clients that reach it."""

    store: Store
    node: FakeNode
    admin: Kubernetes
    healer: Kubernetes
    sick: set[str] = field(default_factory=set[str])
    stuck: set[str] = field(default_factory=set[str])
    """Claims whose volumes do not grow, whatever is asked for."""

    def get(self, resource: str, name: str) -> Object:
        """An object of the namespace; it must be there."""
        found = self.store.get(resource, NAMESPACE, name)
        assert found is not None, f"{resource}/{name}"
        return found

    def create(self, resource: str, name: str, **fields: Any) -> Object:
        """Create an object in the namespace."""
        body = {"metadata": {"name": name, "namespace": NAMESPACE}, **fields}
        return self.store.create(resource, body)

    def create_claim(self, name: str, *, storage: str = "200Gi", grows: bool = True) -> None:
        """Create a bound claim, and a StorageClass that lets it grow or does not."""
        kind = {"metadata": {"name": f"class-of-{name}"}, "allowVolumeExpansion": grows}
        self.store.create("storageclasses", kind)
        sized = {"requests": {"storage": storage}}
        self.create(
            "persistentvolumeclaims",
            name,
            spec={"storageClassName": f"class-of-{name}", "resources": sized},
            status={"phase": "Bound", "capacity": {"storage": storage}},
        )

    def change(self, resource: str, name: str, change: Callable[[Object], None]) -> None:
        """Change an object past the API."""
        assert self.store.update(resource, NAMESPACE, name, change)

    @property
    def pods(self) -> list[Object]:
        """All pods."""
        return self.store.list("pods", NAMESPACE)

    @property
    def versions(self) -> dict[tuple[str, str], object]:
        """What would differ if an action had touched anything.

        Of an autoscaler only the wish is looked at: its controller goes on writing its status.
        """
        kinds = ("deployments", "pods", "configmaps", "replicasets", "persistentvolumeclaims")
        found: dict[tuple[str, str], object] = {
            (kind, one["metadata"]["name"]): one["metadata"]["resourceVersion"]
            for kind in kinds
            for one in self.store.list(kind, NAMESPACE)
        }
        for one in self.store.list("horizontalpodautoscalers", NAMESPACE):
            found["horizontalpodautoscalers", one["metadata"]["name"]] = one["spec"]
        return found

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until the cluster has come that far."""
        async with asyncio.timeout(10):
            while not holds():  # noqa: ASYNC110 the store tells watchers, not this
                await asyncio.sleep(0.01)

    async def settled(self, replicas: int = 3) -> None:
        """Wait until that many pods are ready and the rollout is through."""
        await self.until(lambda: self._is_settled(replicas))

    def _is_settled(self, replicas: int) -> bool:
        found = self.get("deployments", "api")
        status = found.get("status", {})
        return (
            status.get("observedGeneration") == found["metadata"]["generation"]
            and status.get("replicas") == replicas
            and status.get("updatedReplicas") == replicas
            and status.get("availableReplicas") == replicas
            and len(self.pods) == replicas
        )

    def grant(self, permissions: Iterable[Permission]) -> None:
        """Let healer's token do exactly that, and nothing else."""
        wanted = list(permissions)
        subject = {"kind": "ServiceAccount", "name": "healer", "namespace": NAMESPACE}
        for prefix, chosen in (
            ("", [one for one in wanted if one.namespace]),
            ("cluster", [one for one in wanted if not one.namespace]),
        ):
            kind = "ClusterRole" if prefix else "Role"
            self.create(f"{prefix}roles", "healer", rules=[_rule(one) for one in chosen])
            role = {"apiGroup": _RBAC, "kind": kind, "name": "healer"}
            self.create(f"{prefix}rolebindings", "healer", subjects=[subject], roleRef=role)


def _rule(one: Permission) -> Object:
    return {
        "apiGroups": [one.group],
        "resources": [one.resource],
        "verbs": [one.verb],
        "resourceNames": list(one.names),
    }


def deployment(image: str = "server:1", replicas: int = 3) -> Object:
    """What the cluster runs."""
    labels = {"app": "api"}
    container = {"name": "server", "image": image}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "api", "namespace": NAMESPACE},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


async def _grow(store: Store, stuck: set[str]) -> None:
    """What a driver of storage does: the capacity follows what is asked for."""

    def follow(claim: Object) -> None:
        claim["status"]["capacity"] = dict(claim["spec"]["resources"]["requests"])

    async for change in store.watch("persistentvolumeclaims"):
        name = change.object["metadata"]["name"]
        if change.type == "MODIFIED" and name not in stuck:
            store.update("persistentvolumeclaims", NAMESPACE, name, follow)


async def _no_measure(*_: object) -> None:
    return None


@asynccontextmanager
async def running_lab(folder: Path) -> AsyncGenerator[Lab]:
    """Up, with all three pods ready."""
    store = Store()
    sick: set[str] = set()
    stuck: set[str] = set()
    kubelet = Kubelet(
        cluster=store,
        now=lambda: store.now().isoformat(),
        sick=lambda pod: pod["spec"]["containers"][0]["image"] in sick,
    )
    tokens = {
        _ADMIN: Identity(user="admin", groups=frozenset({MASTERS})),
        _HEALER: service_account(NAMESPACE, "healer"),
    }
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(
            ApiServer(store=store, node=kubelet.node, tokens=tokens)
        )
        admin = await _client(stack, folder / "admin", server.url, _ADMIN)
        healer = await _client(stack, folder / "healer", server.url, _HEALER)
        store.create("namespaces", {"metadata": {"name": NAMESPACE}})
        store.create("deployments", deployment())
        running = [
            asyncio.ensure_future(kubelet.run()),
            asyncio.ensure_future(run_controllers(store, measure=_no_measure)),
            asyncio.ensure_future(_grow(store, stuck)),
        ]
        lab = Lab(
            store=store, node=kubelet.node, admin=admin, healer=healer, sick=sick, stuck=stuck
        )
        try:
            await lab.settled()
            yield lab
        finally:
            for task in running:
                task.cancel()
            await asyncio.wait(running)


async def _client(stack: AsyncExitStack, file: Path, url: str, token: str) -> Kubernetes:
    content = orjson.dumps(kubeconfig(url, token, namespace=NAMESPACE))
    await asyncio.to_thread(file.write_bytes, content)
    client = await connect(file, timeout=timedelta(seconds=5))
    stack.push_async_callback(client.close)
    return client


class HastyClock:
    """The wall clock, but that a nap lasts a hundredth of a second."""

    def now(self) -> datetime:
        """The present moment."""
        return datetime.now(UTC)

    async def sleep(self, span: timedelta) -> None:
        """Let others run."""
        await asyncio.sleep(0.01)


def service(selector: str = SELECTOR) -> Service:
    """The service that the deployment belongs to."""
    target = Target(namespace=NAMESPACE, kind="deployment", name="api")
    matcher = Matcher(label="app", op=MatchOp.EQUAL, value="api")
    return Service(name="api", match=(matcher,), workload=target, selector=selector)


def step(
    *, dry_run: bool = False, key: str = "i-1.1.step", seconds: float = 10, kind: str = "deployment"
) -> StepContext:
    """The surroundings of a step on the deployment."""
    return StepContext(
        incident=IncidentId("i-1"),
        service=service(),
        target=Target(namespace=NAMESPACE, kind=kind, name="api"),
        key=key,
        attempt=1,
        deadline=datetime.now(UTC) + timedelta(seconds=seconds),
        dry_run=dry_run,
    )


def recorded(params: ParamsT) -> ParamsT:
    """The parameters as they come back from the timeline."""
    return type(params).model_validate(params.model_dump(mode="json", by_alias=True))
