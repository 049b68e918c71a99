"""A world for the whole daemon: a cluster, a cache, numbers, Slack, PagerDuty, each behind a gate.

Everything listens on loopback in the process of the test; the daemon knows only addresses.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from aiohttp import web

from healer.lab.api.kubeconfig import kubeconfig
from healer.lab.api.rbac import MASTERS, Identity
from healer.lab.api.server import ApiServer
from healer.lab.api.store import Store
from healer.lab.contract import Object
from healer.lab.pagerduty.server import PagerDutyServer
from healer.lab.port import open_door
from healer.lab.slack.server import SlackServer
from healer.settings import Settings, load_settings
from tests.fakes.gate import Gate, Seen, gate
from tests.fakes.kubelet import FakeNode, make_ready
from tests.fakes.postman import Postman
from tests.fakes.ward import OLD_FILES, Cache, Metrics

NAMESPACE = "production"
NAME = "llm-inference"
TOKEN = "t0ken-of-alertmanager"
ROUTING_KEY = "0123456789abcdef0123456789abcdef"
LABELS = {"app": NAME}
_RULER = ("horizontalpodautoscalers", NAMESPACE, NAME)
_WORKLOAD = ("deployments", NAMESPACE, NAME)
_LOAD = 16.0
"""p99 in seconds, times replicas."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """A fault with its playbook. `effects` tells how often the world was changed for it."""

    name: str
    labels: Mapping[str, str]
    faulty: Callable[["Scene"], bool]
    effects: Callable[["Scene"], int]
    healed: Callable[["Scene"], bool]


@dataclass(kw_only=True)
class Scene:
    """Made by `scene`. What the daemon can reach, and what it did there."""

    drill: Drill
    folder: Path
    store: Store
    cache: Cache
    slack: SlackServer
    pagerduty: PagerDutyServer
    kubernetes_gate: Gate
    prometheus_gate: Gate
    slack_gate: Gate
    pagerduty_gate: Gate
    postman: Postman = field(init=False)

    def __post_init__(self) -> None:
        self.postman = Postman(
            labels={**self.drill.labels, "service": NAME, "severity": "critical"},
            faulty=lambda: self.drill.faulty(self),
            token=TOKEN,
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
    def replicas(self) -> int:
        """Pods that are there."""
        return len(self.store.list("pods", NAMESPACE))

    @property
    def p99(self) -> float:
        """Seconds: the load is shared."""
        return _LOAD / self.replicas

    @property
    def versions(self) -> Mapping[str, str]:
        """The resourceVersion of every object of the service."""
        kinds = ("deployments", "horizontalpodautoscalers", "pods", "namespaces", "configmaps")
        return {
            f"{kind}/{one['metadata']['name']}": str(one["metadata"]["resourceVersion"])
            for kind in kinds
            for one in self.store.list(kind)
        }

    @property
    def changes(self) -> Sequence[Seen]:
        """Requests to the API server that changed something there or beyond it."""
        return [one for one in self.kubernetes_gate.passed if not harmless(one)]

    def gate(self, name: str) -> Gate:
        """By the name of what it stands before."""
        gates = {
            "kubernetes": self.kubernetes_gate,
            "prometheus": self.prometheus_gate,
            "slack": self.slack_gate,
            "pagerduty": self.pagerduty_gate,
        }
        return gates[name]


def harmless(seen: Seen) -> bool:
    """Does the request read, or only ask what would be?"""
    if seen.method == "GET" or "dryRun=All" in seen.query:
        return True
    return seen.path.endswith("/evict") and bool(json.loads(seen.body)["dry_run"])


SCENARIO_2 = Drill(
    name="SCENARIO-2",
    labels={"alertname": "DiskSpaceLow"},
    faulty=lambda scene: scene.cache.free_gb < 20,
    effects=lambda scene: len(scene.cache.evictions),
    healed=lambda scene: scene.cache.names == ["new-0", "new-1"],
)
INC_001 = Drill(
    name="INC-001",
    labels={"alertname": "HighLatency"},
    faulty=lambda scene: scene.p99 > 5,
    effects=lambda scene: len(scene.changes),
    healed=lambda scene: scene.replicas == 4 and len(scene.cache.names) == OLD_FILES + 2,
)
DRILLS = (SCENARIO_2, INC_001)


@asynccontextmanager
async def scene(folder: Path, drill: Drill, **spans: str) -> AsyncGenerator[Scene]:
    """The fault is there, the daemon is not; the postman runs while the block does."""
    store = Store()
    cache = Cache(folder / "ssd")
    cache.fill()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        tokens = {"lab": Identity(user="healer", groups=frozenset({MASTERS}))}
        api = await enter(ApiServer(store=store, node=FakeNode(), tokens=tokens))
        slack = await enter(SlackServer(rate=50, burst=50))
        pagerduty = await enter(PagerDutyServer(routing_keys=[ROUTING_KEY]))
        pod = await _served(stack, cache.application())
        numbers: dict[str, Callable[[], float]] = {}
        made = Scene(
            drill=drill,
            folder=folder,
            store=store,
            cache=cache,
            slack=slack,
            pagerduty=pagerduty,
            kubernetes_gate=await enter(gate(api.url)),
            prometheus_gate=await enter(gate(await _served(stack, Metrics(numbers).application()))),
            slack_gate=await enter(gate(slack.url)),
            pagerduty_gate=await enter(gate(pagerduty.url)),
        )
        numbers |= {
            "free_space": lambda: cache.free_gb,
            "latency": lambda: made.p99,
            "queue": lambda: 40.0 if made.p99 > 5 else 0.0,
        }
        _populate(store)
        _write_settings(made, pod_port=int(urlsplit(pod).port or 0), spans=spans)
        group = await enter(asyncio.TaskGroup())
        for work in (_scale(store), made.postman.run()):
            stack.callback(group.create_task(work).cancel)
        yield made


async def _served(stack: AsyncExitStack, app: web.Application) -> str:
    door = await open_door(app)
    stack.push_async_callback(door.runner.cleanup)
    return door.url


def _populate(store: Store) -> None:
    """Two replicas, ruled by an autoscaler between 2 and 6."""
    store.create("namespaces", {"metadata": {"name": NAMESPACE}})
    meta = {"name": NAME, "namespace": NAMESPACE}
    spec: Object = {"containers": [{"name": "server", "image": "inference"}]}
    template = {"metadata": {"labels": LABELS}, "spec": spec}
    wanted = {"replicas": 2, "selector": {"matchLabels": LABELS}, "template": template}
    store.create("deployments", {"metadata": meta, "spec": wanted})
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME}
    bounds = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 6}
    store.create("horizontalpodautoscalers", {"metadata": meta, "spec": bounds})
    for number in range(2):
        _start_pod(store, number)


def _start_pod(store: Store, number: int) -> None:
    volume = {"name": "ssd", "persistentVolumeClaim": {"claimName": "llm-inference-cache"}}
    container = {"name": "server", "image": "inference"}
    name = f"{NAME}-{number}"
    meta = {"name": name, "namespace": NAMESPACE, "labels": LABELS}
    spec = {"nodeName": "lab-1", "containers": [container], "volumes": [volume]}
    store.create("pods", {"metadata": meta, "spec": spec})
    now = str(store.now().strftime("%Y-%m-%dT%H:%M:%SZ"))
    store.update("pods", NAMESPACE, name, lambda pod: make_ready(pod, now=now))


async def _scale(store: Store) -> None:
    """The autoscaler and the deployment's controllers, as far as a minimum is concerned."""
    async for _ in store.watch("horizontalpodautoscalers"):
        ruler, workload = store.get(*_RULER), store.get(*_WORKLOAD)
        assert ruler is not None
        assert workload is not None
        wanted = max(int(ruler["spec"]["minReplicas"]), int(workload["spec"]["replicas"]))
        if wanted != workload["spec"]["replicas"]:
            store.update(*_WORKLOAD, lambda one: one["spec"].update(replicas=wanted))  # noqa: B023 - called at once
        for number in range(len(store.list("pods", NAMESPACE)), wanted):
            _start_pod(store, number)


# ------------------------------------------------------------------------------- configuration


def _write_settings(made: Scene, *, pod_port: int, spans: Mapping[str, str]) -> None:
    folder = made.folder
    secrets = {
        "webhook": TOKEN,
        "slack": made.slack.token,
        "pagerduty": made.pagerduty.token,
        "routing": ROUTING_KEY,
    }
    for name, text in secrets.items():
        (folder / name).write_text(text)
    access = kubeconfig(made.kubernetes_gate.url, "lab")
    (folder / "kubeconfig").write_text(json.dumps(access))
    (folder / "playbooks").mkdir()
    for document in _playbooks(spans):
        path = folder / "playbooks" / f"{document['metadata']['name']}.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False))
    made.config.write_text(yaml.safe_dump(_settings(made, pod_port), sort_keys=False))


def _settings(made: Scene, pod_port: int) -> dict[str, Any]:
    return {
        "apiVersion": "healer/v1",
        "kind": "Configuration",
        "listen": {"port": 0},
        "webhook": {"bearer_token_file": "webhook"},
        "timeline": "healer.db",
        "playbooks": ["playbooks"],
        "prometheus": {"url": made.prometheus_gate.url, "timeout": "1s"},
        "kubernetes": {"kubeconfig": "kubeconfig"},
        "slack": {"token_file": "slack", "base_url": f"{made.slack_gate.url}/api/"},
        "pagerduty": {
            "routing_key_file": "routing",
            "events_url": made.pagerduty_gate.url,
            "api_url": made.pagerduty_gate.url,
            "api_token_file": "pagerduty",
            "from": "healer@example.com",
        },
        "services": [_service(pod_port)],
    }


def _service(pod_port: int) -> dict[str, Any]:
    critical = {"severity": "critical", "pages": True, "respond_within": "15m"}
    return {
        "name": NAME,
        "match": [f'service="{NAME}"'],
        "workload": f"{NAMESPACE}/deployment/{NAME}",
        "selector": f"app={NAME}",
        "inference": {"port": pod_port},
        "thresholds": {"ssd_free_gb": 20, "p99_seconds": 5},
        "severities": {"critical": critical},
        "slack_channel": "#incidents",
    }


def _playbooks(spans: Mapping[str, str]) -> Sequence[dict[str, Any]]:
    return (
        _playbook(
            "SCENARIO-2",
            match='alertname=~"DiskSpaceLow|DiskSpaceCritical"',
            asked={"free": "min(health_ssd_free_space_gb)"},
            when="checks.free.value < service.thresholds.ssd_free_gb",
            step=_step("evict", "inference.cache-evict", {"older_than": "7d"}),
            until="checks.free.value > service.thresholds.ssd_free_gb",
            spans=spans,
        ),
        _playbook(
            "INC-001",
            match='alertname="HighLatency"',
            asked={"p99": "max(inference_latency_seconds)", "queue": "sum(queue_length)"},
            when="checks.queue.value > 10",
            step=_step("scale", "kubernetes.scale", {"replicas": "+2"}),
            until="checks.p99.value < service.thresholds.p99_seconds",
            spans=spans,
        ),
    )


def _step(name: str, action: str, params: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": name, "action": action, "with": dict(params), "timeout": "5s", "attempts": 3}


def _playbook(
    name: str,
    *,
    match: str,
    asked: Mapping[str, str],
    when: str,
    step: dict[str, Any],
    until: str,
    spans: Mapping[str, str],
) -> dict[str, Any]:
    diagnose = [
        {"id": key, "check": "prometheus.query", "with": {"query": query}}
        for key, query in asked.items()
    ]
    verify = {"until": until, "for": "200ms", "every": "100ms", "timeout": "20s", "watch": "3s"}
    verify |= spans
    return {
        "apiVersion": "healer/v1",
        "kind": "Playbook",
        "metadata": {"name": name, "title": f"{name}, in a hurry"},
        "spec": {
            "match": [[match]],
            "mode": "auto",
            "guards": [{"guard": "cooldown", "with": {"after": "5m"}}],
            "diagnose": diagnose,
            "remedies": [{"name": f"cure-{step['id']}", "when": when, "steps": [step]}],
            "verify": verify,
            "escalate": {"after": "10m", "to": ["platform-lead"]},
        },
    }
