"""The daemon as a target: a process and a file of its own, and a configuration for the load."""

import asyncio
import json
import socket
import urllib.request
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bench.payload import STORM
from bench.payload import service as name_of
from bench.target import Running, Target, process

_TOKEN = "bench"  # noqa: S105 - guards nothing: the daemon listens on loopback for a minute
_PLAYBOOK = {
    "apiVersion": "healer/v1",
    "kind": "Playbook",
    "metadata": {"name": "STORM", "title": "One sick service fires thousands of alerts"},
    "spec": {
        "match": [['alertname="TimeToFirstTokenHigh"']],
        "mode": "approve",
        "remedies": [
            {
                "name": "wait",
                "when": "true",
                "steps": [{"id": "wait", "action": "flow.wait", "with": {"for": "1ms"}}],
            }
        ],
        "verify": {
            "until": "alert.age_seconds < 0.0",
            "for": "10s",
            "timeout": "1h",
            "every": "10m",
        },
    },
}


def service(name: str) -> dict[str, object]:
    """A service whose alerts carry its name."""
    return {
        "name": name,
        "match": [f'service="{name}"'],
        "workload": f"production/deployment/{name}",
        "selector": f"app={name}",
    }


@asynccontextmanager
async def running(folder: Path, *, services: Sequence[str], mode: str) -> AsyncGenerator[Running]:
    """`healer serve` upon a configuration written into `folder`."""
    port = _free_port()
    spec = {**_PLAYBOOK["spec"], "mode": mode}  # type: ignore[dict-item]  # a literal above
    (folder / "playbooks").mkdir()
    (folder / "playbooks" / "storm.yaml").write_text(json.dumps({**_PLAYBOOK, "spec": spec}))
    (folder / "token").write_text(_TOKEN)
    config = {
        "apiVersion": "healer/v1",
        "kind": "Configuration",
        "listen": {"host": "127.0.0.1", "port": port},
        "timeline": str(folder / "timeline.db"),
        "playbooks": [str(folder / "playbooks")],
        "webhook": {"bearer_token_file": [str(folder / "token")]},
        "budget": {"limit": 1000, "fleet_share": 1.0},
        "services": [service(name) for name in services],
    }
    (folder / "healer.yaml").write_text(json.dumps(config))
    command = ("-m", "healer", "serve", "--config", str(folder / "healer.yaml"))
    async with process(*command, quiet=True) as server:
        await _ready(f"http://127.0.0.1:{port}/readyz")
        url = f"http://127.0.0.1:{port}/webhook/alertmanager"
        arguments = ("--token-file", str(folder / "token"))
        yield Running(url=url, pid=server.pid, arguments=arguments)


@asynccontextmanager
async def storm(folder: Path) -> AsyncGenerator[Running]:
    """One service, whose run waits for a person: what is measured is the recording."""
    async with running(folder, services=[STORM], mode="approve") as server:
        yield server


def fleet(size: int) -> Target:
    """So many services, each healed by itself: what is measured is the way to the first step."""

    @asynccontextmanager
    async def start(folder: Path) -> AsyncGenerator[Running]:
        services = [name_of(number) for number in range(size)]
        async with running(folder, services=services, mode="auto") as server:
            yield server

    return Target(name="healer", start=start)


async def all_sorted(server: Running, _: int) -> None:
    """Wait until no more alerts become lines of incidents: to the second."""
    before, now = -1, await _counted(server, "healer_alerts_total")
    async with asyncio.timeout(300):
        while now != before:
            await asyncio.sleep(1)
            before, now = now, await _counted(server, "healer_alerts_total")


async def steps_done(server: Running) -> int:
    """How many steps have ended, as its metrics say."""
    return await _counted(server, "healer_steps_total")


async def _counted(server: Running, metric: str) -> int:
    page = await asyncio.to_thread(_read, server.url.replace("/webhook/alertmanager", "/metrics"))
    lines = (line.rpartition(" ") for line in page.splitlines())
    return round(sum(float(n) for name, _, n in lines if name.startswith(metric)))


async def _ready(url: str) -> None:
    async with asyncio.timeout(30):
        while not await asyncio.to_thread(_answers, url):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - loopback
            return True
    except OSError:
        return False


def _read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - loopback
        return str(answer.read(), "utf-8")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


HEALER = Target(name="healer", start=storm, sorted=all_sorted)
