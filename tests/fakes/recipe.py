"""The daemon's configuration for a scene, and the shipped playbooks with less time between things.

Nothing else of a playbook is changed: what is walked is what operators get.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from healer.lab.api.kubeconfig import kubeconfig

SHIPPED = Path(__file__).parents[2] / "playbooks"
WEBHOOK = "t0ken-of-alertmanager"
ROUTING_KEY = "0123456789abcdef0123456789abcdef"
SENDER = "healer@example.com"
_VERIFY = {"for": "200ms", "every": "100ms", "timeout": "20s", "watch": "3s"}
_ESCALATE = {"after": "10m"}
_COOLDOWN = {"after": "1s"}
_STEP = {"timeout": "10s"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a daemon has to know of where it works. The addresses are those of gates."""

    service: str
    namespace: str
    pod_port: int
    kubernetes: str
    prometheus: str
    slack: str
    pagerduty: str
    slack_token: str
    pagerduty_token: str

    @property
    def workload(self) -> str:
        """As the configuration names it."""
        return f"{self.namespace}/deployment/{self.service}"


def write(folder: Path, site: Site, *, watch: str) -> None:
    """healer.yaml with all that it names."""
    secrets = {
        "webhook": WEBHOOK,
        "slack": site.slack_token,
        "pagerduty": site.pagerduty_token,
        "routing": ROUTING_KEY,
    }
    for name, text in secrets.items():
        (folder / name).write_text(text)
    (folder / "kubeconfig").write_text(json.dumps(kubeconfig(site.kubernetes, "lab")))
    (folder / "playbooks").mkdir()
    for file in SHIPPED.glob("*.yaml"):
        document = hurried(yaml.safe_load(file.read_text()), watch=watch)
        (folder / "playbooks" / file.name).write_text(yaml.safe_dump(document, sort_keys=False))
    settings = yaml.safe_dump(_settings(site), sort_keys=False)
    (folder / "healer.yaml").write_text(settings)


def hurried(document: dict[str, Any], *, watch: str) -> dict[str, Any]:
    """The same playbook with short spans."""
    spec = document["spec"]
    spec["verify"] |= _VERIFY | {"watch": watch}
    spec["escalate"] |= _ESCALATE
    for guard in spec.get("guards", []):
        if guard["guard"] == "cooldown":
            guard["with"] |= _COOLDOWN
    for remedy in spec["remedies"]:
        for step in remedy.get("steps", ()):
            step.update(_STEP)
    return document


def _settings(site: Site) -> Mapping[str, Any]:
    return {
        "apiVersion": "healer/v1",
        "kind": "Configuration",
        "listen": {"port": 0},
        "webhook": {"bearer_token_file": "webhook"},
        "timeline": "healer.db",
        "playbooks": ["playbooks"],
        "prometheus": {"url": site.prometheus, "timeout": "4s"},
        "kubernetes": {"kubeconfig": "kubeconfig"},
        "slack": {"token_file": "slack", "base_url": f"{site.slack}/api/"},
        "pagerduty": {
            "routing_key_file": "routing",
            "events_url": site.pagerduty,
            "api_url": site.pagerduty,
            "api_token_file": "pagerduty",
            "from": SENDER,
        },
        "services": [
            _service(site, "llm-inference"),
            _service(site, "largeforge"),
        ],
    }


def _service(site: Site, name: str) -> Mapping[str, Any]:
    return {
        "name": name,
        "match": [f'service="{name}"'],
        "workload": f"{site.namespace}/deployment/{name}",
        "selector": f"app={name}",
        "inference": {"port": site.pod_port},
        "thresholds": {
            "ssd_free_gb": 20,
            "p99_seconds": 5,
            "queue_length": 10,
            "gpu_memory": 0.95,
            "gpu_refill_minutes": 30,
        },
        "values": {
            "config": "largeforge-config",
            "cache_claim": f"{name}-cache",
            "cache_claim_grown": "300Gi",
        },
        "severities": {
            "critical": {"severity": "critical", "pages": True, "respond_within": "15m"}
        },
        "slack_channel": "#incidents",
    }
