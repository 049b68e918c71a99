"""How Prometheus finds the lab's pods: by a file of targets that follows them.

Not by kubernetes_sd_configs: Debian builds its Prometheus without them. Targets carry the labels
that relabelling gives them in most clusters: namespace, pod, and service from the pod's label
`app.kubernetes.io/name`.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from healer.lab.contract import Cluster, Object
from healer.lab.node.field import entries, text


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """A front that a prober looks at for each scrape; addresses are host:port."""

    front: str
    prober: str
    name: str
    """The host that clients ask for."""
    labels: dict[str, str]

    def job(self) -> dict[str, Any]:
        """As the blackbox exporter's own documentation configures it."""
        moves = (
            {"source_labels": ["__address__"], "target_label": "__param_target"},
            {"source_labels": ["__param_target"], "target_label": "instance"},
            {"target_label": "__address__", "replacement": self.prober},
        )
        return {
            "job_name": f"blackbox-{self.labels['service']}",
            "metrics_path": "/probe",
            "params": {"name": [self.name]},
            "static_configs": [{"targets": [self.front], "labels": self.labels}],
            "relabel_configs": list(moves),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """The file, for Prometheus to read."""

    path: Path

    async def follow(self, cluster: Cluster) -> None:
        """Keep the file true, for ever."""
        async for _ in cluster.watch("pods"):
            found = [target(pod) for pod in cluster.list("pods") if scraped(pod)]
            written = json.dumps(sorted(found, key=json.dumps))
            if not self.path.exists() or self.path.read_text() != written:
                fresh = self.path.with_suffix(".new")
                fresh.write_text(written)
                fresh.replace(self.path)


def scraped(pod: Object) -> bool:
    """Whether a pod asks to be scraped and can be."""
    return (
        text(pod, "metadata", "annotations", "prometheus.io/scrape") == "true"
        and text(pod, "status", "podIP") != ""
        and text(pod, "status", "phase") in {"Pending", "Running"}
    )


def target(pod: Object) -> dict[str, Any]:
    """A pod as file_sd writes it, with the labels that alerts are grouped by."""
    meta = pod["metadata"]
    ports = [port for item in entries(pod, "spec", "containers") for port in entries(item, "ports")]
    given = text(meta, "annotations", "prometheus.io/port")
    port = given or (str(ports[0]["containerPort"]) if ports else "80")
    return {
        "targets": [f"{text(pod, 'status', 'podIP')}:{port}"],
        "labels": {
            "__metrics_path__": text(meta, "annotations", "prometheus.io/path") or "/metrics",
            "namespace": meta["namespace"],
            "pod": meta["name"],
            "service": text(meta, "labels", "app.kubernetes.io/name"),
        },
    }
