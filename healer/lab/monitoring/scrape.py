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
