"""Alerts that are in the wild but not ours, as Alertmanager delivers them; and what is shipped."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import yaml

from healer.app.vocabulary import vocabulary
from healer.model.playbook import Playbook
from healer.model.service import Service
from healer.playbook.document import read
from healer.playbook.loader import load
from healer.settings import read_settings

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "deploy" / "healer" / "healer.yaml"
PLAYBOOKS = ROOT / "playbooks"
STRANGERS: Sequence[Mapping[str, str]] = yaml.safe_load(
    Path(__file__).with_name("strangers.yaml").read_text()
)


def shipped() -> tuple[tuple[Service, ...], tuple[Playbook, ...]]:
    """The services and playbooks as they are shipped."""
    settings, faults = read_settings(read(CONFIG), {}, secrets=False)
    assert settings is not None, faults
    loaded = load([PLAYBOOKS], vocabulary(), settings.known_services)
    assert loaded.faults == ()
    return tuple(settings.known_services.values()), loaded.playbooks


def payload(*labels: Mapping[str, str], status: str = "firing") -> bytes:
    """One delivery of these alerts."""
    body: dict[str, Any] = {
        "version": "4",
        "groupKey": "{}:{}",
        "status": status,
        "receiver": "healer",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.monitoring.svc:9093",
        "truncatedAlerts": 0,
        "alerts": [
            {
                "status": status,
                "labels": one,
                "annotations": {"summary": "of another"},
                "startsAt": "2026-01-05T03:00:00Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "http://prometheus.monitoring.svc:9090/graph",
                "fingerprint": f"{number:016x}",
            }
            for number, one in enumerate(labels)
        ],
    }
    return orjson.dumps(body)
