"""The composition: every word can be made, and what cannot be is refused when playbooks load."""

import re
import socket
from pathlib import Path

import aiohttp
import pytest
import yaml

from healer.app.daemon import daemon
from healer.app.vocabulary import (
    FREE_ACTIONS,
    FREE_CHECKS,
    KUBERNETES_ACTIONS,
    KUBERNETES_CHECKS,
    PROMETHEUS_ACTIONS,
    PROMETHEUS_CHECKS,
    vocabulary,
)
from healer.playbook.loader import load
from healer.settings import load_settings

METRICS = {
    "healer_webhooks_total",
    "healer_alerts_total",
    "healer_incidents",
    "healer_steps_total",
    "healer_refusals_total",
    "healer_notices_total",
    "healer_time_to_action_seconds",
    "healer_time_to_heal_seconds",
    "healer_timeline_append_seconds",
    "healer_paused",
}
PLAYBOOK = {
    "apiVersion": "healer/v1",
    "kind": "Playbook",
    "metadata": {"name": "X", "title": "An example"},
    "spec": {
        "match": [['alertname="A"']],
        "guards": [{"guard": "silence"}],
        "diagnose": [{"id": "up", "check": "prometheus.query", "with": {"query": "up"}}],
        "remedies": [
            {
                "name": "grow",
                "when": "checks.up.value < 1",
                "steps": [{"id": "grow", "action": "kubernetes.scale", "with": {"replicas": "+1"}}],
            }
        ],
        "verify": {"until": "checks.up.value >= 1", "for": "1s", "timeout": "1m"},
    },
}
SERVICE = {
    "name": "api",
    "match": ['service="api"'],
    "workload": "production/deployment/api",
    "selector": "app=api",
}


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write(folder: Path, **more: object) -> Path:
    (folder / "x.yaml").write_text(yaml.safe_dump(PLAYBOOK))
    config = folder / "healer.yaml"
    content = {
        "apiVersion": "healer/v1",
        "kind": "Configuration",
        "listen": {"port": 1024},
        "timeline": str(folder / "timeline.db"),
        "playbooks": [str(folder / "x.yaml")],
        "services": [SERVICE],
        **more,
    }
    config.write_text(yaml.safe_dump(content))
    return config


def test_no_word_is_there_twice() -> None:
    actions = (*KUBERNETES_ACTIONS, *PROMETHEUS_ACTIONS, *FREE_ACTIONS)
    checks = (*KUBERNETES_CHECKS, *PROMETHEUS_CHECKS, *FREE_CHECKS)
    assert len(vocabulary().actions) == len(actions)
    assert len(vocabulary().checks) == len(checks)


def test_what_the_configuration_gives_no_means_for_is_refused_when_it_is_loaded(
    tmp_path: Path,
) -> None:
    settings = load_settings(write(tmp_path))
    faults = load([tmp_path / "x.yaml"], vocabulary(settings)).faults
    said = "\n".join(str(fault) for fault in faults)
    assert "`kubernetes.scale` needs `kubernetes` in the configuration" in said
    assert "`prometheus.query` needs `prometheus: {url: …}`" in said
    assert "`silence` needs `alertmanager: {url: …}`" in said


def test_with_everything_configured_nothing_is_missing(tmp_path: Path) -> None:
    config = write(
        tmp_path,
        prometheus={"url": "http://127.0.0.1:9"},
        alertmanager={"url": "http://127.0.0.1:9"},
        kubernetes={"in_cluster": True},
    )
    assert vocabulary(load_settings(config)).absent == {}


async def test_the_daemon_starts_serves_and_stops(tmp_path: Path, unused_port: int) -> None:
    settings = load_settings(write(tmp_path, listen={"port": unused_port}))
    async with daemon(settings) as port:
        assert port == unused_port
    async with daemon(settings) as port:
        assert port == unused_port, "the file and the port are free again"


async def test_every_metric_that_dashboards_rely_on_is_there(
    tmp_path: Path, unused_port: int
) -> None:
    settings = load_settings(write(tmp_path, listen={"port": unused_port}))
    async with (
        daemon(settings) as port,
        aiohttp.ClientSession() as http,
        http.get(f"http://127.0.0.1:{port}/metrics") as response,
    ):
        text = await response.text()
    shown = set(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE))
    assert shown >= METRICS
