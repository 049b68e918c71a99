"""What the lab makes of the shipped services: how large they are here, and healer.yaml for them.

Everything that differs from what is shipped stands in this file, and is said aloud at the start.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from healer.lab.monitoring.compress import Threshold
from healer.lab.monitoring.duration import shorten

ROOT = Path(__file__).parents[2]
"""Where alertmanager/, deploy/ and playbooks/ lie."""

GB = 1e9
ADMIN_KEY = "lab-admin-key"
OPERATOR = "lab"
TLS_NAME = "api.largeforge.example"
SEVERITIES = {
    "critical": ("P1", True, "15m"),
    "warning": ("P2", False, "1h"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One service as the lab runs it."""

    name: str
    namespace: str
    deployment: str
    service: str
    """The name of its Service object."""
    port: int
    replicas: int
    claim: str = ""
    secret: str = ""
    volume: int = 0
    """Size of its volume in MiB; tmpfs, so it costs memory only where it is filled."""
    experts: Mapping[str, str] = field(default_factory=dict[str, str])
    """Of a router: its experts, and the services that play them. They must run as well."""
    pages: bool = False
    edge: bool = False
    """Does a front with TLS, and a prober of it, stand before it?"""
    memory: str = ""
    """The memory limit of each pod, where the lab's node can make one; '' is none."""
    gpu: bool = False
    """Each pod has a GPU, where the lab's node has any; LAB_GPU_MEMORY in `env` sets its bytes."""
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    thresholds: Mapping[str, float] = field(default_factory=dict[str, float])
    """As playbooks name them: service.thresholds.NAME."""
    series: Mapping[Threshold, float] = field(default_factory=dict[Threshold, float])
    """Recorded thresholds whose value is another one here."""
    values: Mapping[str, str] = field(default_factory=dict[str, str])
    privileged: Sequence[str] = ()
    """Actions that are off unless named here."""
    routing_key: str = ""

    @property
    def selector(self) -> str:
        """Of its pods."""
        return f"app={self.deployment}"

    @property
    def folder(self) -> Path:
        """Its shipped manifests."""
        return ROOT / "deploy" / "inference" / self.name

    @property
    def environment(self) -> dict[str, str]:
        """Of its pods, beside what is shipped."""
        quick = {"INFERENCE_SSD_PROBE_SECONDS": "0.5", "INFERENCE_BREAKER_RETRY_SECONDS": "1"}
        defects = {"PYTHONPATH": str(ROOT / "healer" / "lab" / "inside")}
        return {**(quick | defects if self.claim else {}), **self.env}


def _full_volume() -> Site:
    """A volume of 200 MiB for 200 GiB, so a thousandth of each threshold that is in GB.

    Few places and a slow step, so that so small a service can be overloaded: a replica answers
    four requests a second, lets eight wait and refuses the rest.
    """
    low, critical = 0.020, 0.010
    return Site(
        name="llm-inference",
        namespace="production",
        deployment="llm-inference",
        service="llm-inference-service",
        claim="llm-model-pvc",
        secret="llm-inference-admin",  # noqa: S106 - the name of one
        port=8080,
        volume=200,
        replicas=2,
        memory="500Mi",
        env={
            "INFERENCE_SSD_LOW_GB": str(low),
            "INFERENCE_SSD_CRITICAL_GB": str(critical),
            "INFERENCE_STEP_FLOOR": "0.1",
            "INFERENCE_MAX_ACTIVE": "4",
            "INFERENCE_MAX_QUEUED": "8",
        },
        thresholds={
            "memory_used": 0.85,
            "ssd_free_gb": low,
            "error_rate": 0.01,
            "queued_requests": 5.0,
            "overload_replicas": 4.0,
            "self_heal_seconds": 8.0,
        },
        series={
            ("threshold:ssd_free_gb:low", "llm-inference"): low,
            ("threshold:ssd_free_gb:critical", "llm-inference"): critical,
            ("threshold:queued_requests:high", "llm-inference"): 5.0,
            ("threshold:queued_requests:critical", "llm-inference"): 7.0,
            # Kubernetes waits 10, 20, 40 s between restarts here as well, and an hour is a minute.
            ("threshold:pod_restarts_per_hour:high", "llm-inference"): 1.0,
        },
        values={
            "cache_claim": "llm-model-pvc",
            "cache_claim_grown": "300Mi",
            "ssd_path": "/mnt/ssd",
        },
        privileged=("kubernetes.remount",),
        routing_key="1" * 32,
    )


def _slow_service() -> Site:
    """Few places and a slow step: a request takes a second, a replica does four at a time."""
    return Site(
        name="largeforge",
        namespace="largeforge",
        deployment="largeforge-inference",
        service="largeforge-inference",
        claim="largeforge-model-pvc",
        secret="largeforge-admin",  # noqa: S106 - the name of one
        port=8000,
        volume=100,
        replicas=2,
        gpu=True,
        edge=True,
        env={
            "INFERENCE_SSD_LOW_GB": "0.010",
            "INFERENCE_SSD_CRITICAL_GB": "0.005",
            "INFERENCE_STEP_FLOOR": "0.1",
            "INFERENCE_MAX_ACTIVE": "4",
            "INFERENCE_MAX_QUEUED": "28",
        },
        thresholds={
            "failed_share": 0.01,
            "failed_share_urgent": 0.05,
            "p99_seconds": 5.0,
            "queue_length": 10.0,
            "gpu_memory": 0.95,
            "gpu_refill_minutes": 0.5,
            "volume_used": 0.85,
            "volume_used_wanted": 0.80,
            "certificate_days": 7.0,
        },
        values={
            "config": "largeforge-config",
            "disk": "/mnt/ssd",
            "model_cache": "/mnt/ssd/hub",
            "logs": "/mnt/ssd/logs",
            "checkpoints": "/mnt/ssd/checkpoints",
            "ingress": "largeforge/deployment/largeforge-ingress",
            "tls_name": TLS_NAME,
            "tls_secret": "largeforge-tls",
            "tls_source": "largeforge-tls-next",
        },
        routing_key="2" * 32,
    )


def _router() -> Site:
    """One router; the other two services play its experts, each behind its Service."""
    return Site(
        name="largeforge-router",
        namespace="largeforge",
        deployment="largeforge-router",
        service="largeforge-router",
        port=8080,
        replicas=1,
        experts={"general": "largeforge", "code": "llm-inference"},
        env={"INFERENCE_PROBE_SECONDS": "0.5"},
        thresholds={
            "fallback_share": 0.1,
            "routing_error_share": 0.01,
            "self_heal_seconds": 8.0,
        },
        routing_key="3" * 32,
    )


_ALL = (_full_volume(), _slow_service(), _router())
SITES: Mapping[str, Site] = {site.name: site for site in _ALL}


def with_experts(services: Iterable[str]) -> tuple[str, ...]:
    """These services and those that play experts for them, in the order of the table."""
    wanted = set(services)
    for name in tuple(wanted & SITES.keys()):
        wanted |= set(SITES[name].experts.values())
    return tuple(name for name in SITES if name in wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the daemon of the lab finds everything."""

    port: int
    kubeconfig: Path
    prometheus: str
    alertmanager: str
    slack: str
    pagerduty: str
    playbooks: Path
    timeline: Path
    fronts: Mapping[str, str] = field(default_factory=dict[str, str])
    """Where the front of each service that has one listens: host:port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The secrets of one lab, made anew for each; the environment variable of each."""

    webhook: str
    operator: str
    slack: str
    signing: str
    pagerduty: str

    def environment(self, sites: Sequence[Site]) -> dict[str, str]:
        """What the daemon is given."""
        return {
            "LAB_WEBHOOK_TOKEN": self.webhook,
            "LAB_OPERATOR_TOKEN": self.operator,
            "LAB_SLACK_TOKEN": self.slack,
            "LAB_SLACK_SIGNING": self.signing,
            "LAB_PAGERDUTY_TOKEN": self.pagerduty,
            "LAB_ADMIN_KEY": ADMIN_KEY,
            **{_routing_variable(site): site.routing_key for site in sites},
        }


def configuration(places: Places, sites: Sequence[Site], *, factor: float) -> dict[str, Any]:
    """healer.yaml of the lab."""
    return {
        "apiVersion": "healer/v1",
        "kind": "Configuration",
        "listen": {"host": "127.0.0.1", "port": places.port},
        "webhook": {"bearer_token_file": ["${LAB_WEBHOOK_TOKEN}"]},
        "api_tokens": {OPERATOR: "${LAB_OPERATOR_TOKEN}"},
        "timeline": str(places.timeline),
        "playbooks": [str(places.playbooks)],
        "prometheus": {"url": places.prometheus, "timeout": "5s"},
        "alertmanager": {
            "url": places.alertmanager,
            "catch_up": shorten("5m", factor=factor, floor=10),
        },
        "kubernetes": {"kubeconfig": str(places.kubeconfig)},
        "slack": {
            "token_file": "${LAB_SLACK_TOKEN}",
            "signing_secret_file": "${LAB_SLACK_SIGNING}",
            "base_url": f"{places.slack}/api/",
        },
        "pagerduty": {
            "events_url": places.pagerduty,
            "api_url": places.pagerduty,
            "api_token_file": "${LAB_PAGERDUTY_TOKEN}",
            "from": "healer@example.com",
        },
        "budget": {
            "limit": 3,
            "window": shorten("1h", factor=factor, floor=60),
            "fleet_share": 1.0,
        },
        "services": [
            _service(site, factor=factor, front=places.fronts.get(site.name, "")) for site in sites
        ],
    }


def _service(site: Site, *, factor: float, front: str) -> dict[str, Any]:
    return {
        "name": site.name,
        "match": [f'service="{site.name}"'],
        "workload": f"{site.namespace}/deployment/{site.deployment}",
        "selector": site.selector,
        "inference": {"port": site.port, "admin_key_file": "${LAB_ADMIN_KEY}"},
        "thresholds": dict(site.thresholds),
        "values": {**site.values, **({"tls_endpoint": front} if front else {})},
        "privileged": list(site.privileged),
        "severities": {
            label: {
                "severity": severity,
                "pages": pages,
                "respond_within": shorten(span, factor=factor, floor=1),
            }
            for label, (severity, pages, span) in SEVERITIES.items()
        },
        "slack_channel": f"#{site.name}",
        "pagerduty_key_file": f"${{{_routing_variable(site)}}}",
    }


def _routing_variable(site: Site) -> str:
    return f"LAB_ROUTING_{site.name.upper().replace('-', '_')}"
