"""A world for the whole daemon: a cluster, a cache, numbers, Slack, PagerDuty, each behind a gate.

Everything listens on loopback in the process of the test; the daemon knows only addresses. The API
server and its controllers are the lab's; pods are ready at once, and answer as a cache does.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from healer.lab.api.rbac import MASTERS, Identity, service_account
from healer.lab.api.server import ApiServer
from healer.lab.api.store import Store
from healer.lab.api.termination import stamp
from healer.lab.api.value import dig
from healer.lab.contract import Object
from healer.lab.controller.run import run_controllers
from healer.lab.pagerduty.server import PagerDutyServer
from healer.lab.port import open_door
from healer.lab.slack.server import SlackServer
from healer.settings import Settings, load_settings
from tests.fakes.gate import Gate, Seen, gate
from tests.fakes.kubelet import Kubelet
from tests.fakes.postman import Postman
from tests.fakes.recipe import ROUTING_KEY, SENDER, WEBHOOK, Site, write
from tests.fakes.ward import OLD_FILES, Cache, Metrics

NAMESPACE = "production"
FEW, MANY = 2, 4
"""Replicas before and after INC-001."""
_LOAD = 16.0
"""p99 in seconds, times replicas."""
_KINDS = ("configmaps", "deployments", "horizontalpodautoscalers", "namespaces", "pods")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """A fault with its shipped playbook, and what the playbook does about it.

    `effects` is how many times the world is changed for it, by `steps`.
    """

    name: str
    service: str
    alert: str
    steps: tuple[str, ...]
    effects: int
    faulty: Callable[["Scene"], bool]
    healed: Callable[["Scene"], bool]

    def __str__(self) -> str:
        return self.name


@dataclass(kw_only=True)
class Scene:
    """Made by `scene`. What the daemon can reach, and what it did there."""

    drill: Drill
    folder: Path
    store: Store
    cache: Cache
    slack: SlackServer
    pagerduty: PagerDutyServer
    gates: Mapping[str, Gate]
    postman: Postman = field(init=False)

    def __post_init__(self) -> None:
        self.postman = Postman(
            labels={
                "alertname": self.drill.alert,
                "service": self.drill.service,
                "severity": "critical",
            },
            faulty=lambda: self.drill.faulty(self),
            token=WEBHOOK,
        )

    @property
    def config(self) -> Path:
        """The daemon's configuration."""
        return self.folder / "healer.yaml"

    @property
    def settings(self) -> Settings:
        """The same, read."""
        return load_settings(self.config, {})

    @property
    def ready(self) -> int:
        """Pods that serve."""
        return len(
            [pod for pod in self.store.list("pods", NAMESPACE) if dig(pod, "status", "podIP")]
        )

    @property
    def p99(self) -> float:
        """Seconds: the load is shared."""
        return _LOAD / max(self.ready, 1)

    @property
    def minimum(self) -> int:
        """What the autoscaler keeps."""
        return int(dig(self._object("horizontalpodautoscalers"), "spec", "minReplicas") or 0)

    @property
    def settled(self) -> bool:
        """Has everything come about that is wanted?"""
        status = self._object("deployments").get("status", {})
        ruled = dig(self._object("horizontalpodautoscalers"), "status", "desiredReplicas")
        return bool(status.get("availableReplicas") == FEW and ruled == FEW)

    @property
    def versions(self) -> Mapping[str, str]:
        """The resourceVersion of every object."""
        return {
            f"{kind}/{one['metadata']['name']}": str(one["metadata"]["resourceVersion"])
            for kind in _KINDS
            for one in self.store.list(kind)
        }

    @property
    def changes(self) -> Sequence[Seen]:
        """Requests to the API server that changed something there, or in a pod beyond it."""
        return [one for one in self.gates["kubernetes"].passed if not harmless(one)]

    def _object(self, plural: str) -> Object:
        found = self.store.get(plural, NAMESPACE, self.drill.service)
        assert found is not None
        return found


def harmless(seen: Seen) -> bool:
    """Does the request read, or only ask what would be?"""
    if seen.method == "GET" or "dryRun=All" in seen.query:
        return True
    return seen.path.endswith("/evict") and bool(json.loads(seen.body)["dry_run"])


SCENARIO_2 = Drill(
    name="SCENARIO-2",
    service="llm-inference",
    alert="DiskSpaceLow",
    steps=("evict",),
    effects=1,
    faulty=lambda scene: scene.cache.free_gb < 20,
    healed=lambda scene: scene.cache.names == ["new-0", "new-1"] and scene.ready == FEW,
)
INC_001 = Drill(
    name="INC-001",
    service="largeforge",
    alert="HighLatency",
    steps=("scale", "scaled", "undo-scale"),
    effects=2,  # the autoscaler's minimum is raised, and put back once the watch is over
    faulty=lambda scene: scene.p99 > 5,
    healed=lambda scene: (
        (scene.ready, scene.minimum, len(scene.cache.names)) == (MANY, FEW, OLD_FILES + 2)
    ),
)
DRILLS = (SCENARIO_2, INC_001)


@asynccontextmanager
async def scene(
    folder: Path, drill: Drill, *, watch: str = "3s", rights: Sequence[Object] | None = None
) -> AsyncGenerator[Scene]:
    """The fault is there, the daemon is not; the postman runs while the block does.

    `rights` are the roles and bindings of the ServiceAccount healer/healer, as whom the daemon
    comes then; without them it may do everything.
    """
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        store, cache = Store(), Cache(folder / "ssd")
        cache.fill()
        kubelet = Kubelet(cluster=store, now=lambda: stamp(store.now()))
        master = Identity(user="healer", groups=frozenset({MASTERS}))
        tokens = {"lab": master if rights is None else service_account("healer", "healer")}
        for one in rights or ():
            store.create(f"{one['kind'].lower()}s", one)
        api = await enter(ApiServer(store=store, node=kubelet.node, tokens=tokens))
        slack = await enter(SlackServer(rate=50, burst=50))
        pagerduty = await enter(PagerDutyServer(routing_keys=[ROUTING_KEY], users=[SENDER]))
        numbers: dict[str, Callable[[], float]] = {}
        behind = {
            "kubernetes": api.url,
            "prometheus": await _served(stack, Metrics(numbers).application()),
            "slack": slack.url,
            "pagerduty": pagerduty.url,
        }
        made = Scene(
            drill=drill,
            folder=folder,
            store=store,
            cache=cache,
            slack=slack,
            pagerduty=pagerduty,
            gates={name: await enter(gate(url)) for name, url in behind.items()},
        )
        numbers |= _numbers(made)
        write(folder, _site(made, await _served(stack, cache.application())), watch=watch)
        _populate(store, drill.service)
        group = await enter(asyncio.TaskGroup())
        for work in (kubelet.run(), run_controllers(store, measure=_no_measure)):
            stack.callback(group.create_task(work).cancel)
        await _settle(made)
        stack.callback(group.create_task(made.postman.run()).cancel)
        yield made


async def _served(stack: AsyncExitStack, app: web.Application) -> str:
    door = await open_door(app)
    stack.push_async_callback(door.runner.cleanup)
    return door.url


async def _settle(made: Scene) -> None:
    async with asyncio.timeout(20):
        while not made.settled:  # noqa: ASYNC110 - the store tells watchers of one kind each
            await asyncio.sleep(0.01)


async def _no_measure(*_: object) -> None:
    return None


def _numbers(made: Scene) -> Mapping[str, Callable[[], float]]:
    """Of which metric is what; the others are not known."""
    return {
        "health_ssd_free_space_gb": lambda: made.cache.free_gb,
        "degradation_mode": lambda: 0.0 if made.cache.free_gb > 20 else 3.0,
        "inference_latency_seconds": lambda: made.p99,
        "queue_length": lambda: 40.0 if made.p99 > 5 else 0.0,
    }


def _site(made: Scene, pod: str) -> Site:
    return Site(
        service=made.drill.service,
        namespace=NAMESPACE,
        pod_port=int(urlsplit(pod).port or 0),
        kubernetes=made.gates["kubernetes"].url,
        prometheus=made.gates["prometheus"].url,
        slack=made.gates["slack"].url,
        pagerduty=made.gates["pagerduty"].url,
        slack_token=made.slack.token,
        pagerduty_token=made.pagerduty.token,
    )


def _populate(store: Store, name: str) -> None:
    """Two replicas upon one shared volume, ruled by an autoscaler between 2 and 6."""
    store.create("namespaces", {"metadata": {"name": NAMESPACE}})
    meta, labels = {"name": name, "namespace": NAMESPACE}, {"app": name}
    volume = {"name": "ssd", "persistentVolumeClaim": {"claimName": f"{name}-cache"}}
    container = {"name": "server", "image": "inference"}
    spec: Object = {"containers": [container], "volumes": [volume]}
    template = {"metadata": {"labels": labels}, "spec": spec}
    wanted = {"replicas": FEW, "selector": {"matchLabels": labels}, "template": template}
    store.create("deployments", {"metadata": meta, "spec": wanted})
    claim = {"name": f"{name}-cache", "namespace": NAMESPACE}
    sized = {"resources": {"requests": {"storage": "200Gi"}}}
    store.create("persistentvolumeclaims", {"metadata": claim, "spec": sized})
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    bounds = {"scaleTargetRef": target, "minReplicas": FEW, "maxReplicas": 6}
    store.create("horizontalpodautoscalers", {"metadata": meta, "spec": bounds})
