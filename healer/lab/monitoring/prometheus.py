"""A real Prometheus on loopback that scrapes the lab's pods and evaluates the given rules."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from healer.lab.monitoring.child import find, room, serving
from healer.lab.monitoring.duration import write
from healer.lab.monitoring.scrape import Probed, Targets


@dataclass(slots=True, kw_only=True)
class Prometheus:
    """`async with Prometheus(...) as prometheus:` then `prometheus.url`."""

    targets: Targets
    rules: Mapping[str, str] = field(default_factory=dict[str, str])
    """Rule files: name and YAML text."""
    objects: str = ""
    """Address of a page with the metrics of the cluster's objects, as kube-state-metrics has it."""
    alertmanager: str | None = None
    """Its URL."""
    probed: Sequence[Probed] = ()
    scrape_interval: float = 1.0
    evaluation_interval: float = 1.0
    folder: Path | None = None
    """Where its temporary folder is made."""
    url: str = ""
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> Self:
        program = find("prometheus")
        async with AsyncExitStack() as stack:
            folder = stack.enter_context(room("prometheus", inside=self.folder))
            config = self._write(folder)
            self.url = await stack.enter_async_context(
                serving(lambda port: _argv(program, config, port), folder=folder)
            )
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    def config(self, rule_files: Sequence[str]) -> dict[str, Any]:
        """Its configuration."""
        found: dict[str, Any] = {
            "global": {
                "scrape_interval": write(self.scrape_interval),
                "scrape_timeout": write(self.scrape_interval),
                "evaluation_interval": write(self.evaluation_interval),
            },
            "rule_files": list(rule_files),
            "scrape_configs": [
                {"job_name": "pods", "file_sd_configs": [{"files": [str(self.targets.path)]}]},
                *(one.job() for one in self.probed),
            ],
        }
        if self.objects:
            job = {"job_name": "kube-state-metrics", "honor_labels": True}
            found["scrape_configs"].append({**job, "static_configs": [{"targets": [self.objects]}]})
        if self.alertmanager is not None:
            receiver = {"targets": [self.alertmanager.removeprefix("http://")]}
            found["alerting"] = {"alertmanagers": [{"static_configs": [receiver]}]}
        return found

    def _write(self, folder: Path) -> Path:
        names: list[str] = []
        for name, text in self.rules.items():
            path = folder / "rules" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            names.append(str(path))
        config = folder / "prometheus.yml"
        config.write_text(yaml.safe_dump(self.config(names), sort_keys=False))
        return config


def _argv(program: str, config: Path, port: int) -> list[str]:
    return [
        program,
        f"--config.file={config}",
        f"--storage.tsdb.path={config.parent / 'data'}",
        "--storage.tsdb.retention.time=1d",
        f"--web.listen-address=127.0.0.1:{port}",
        "--rules.alert.resend-delay=5s",
        "--log.level=warn",
    ]
