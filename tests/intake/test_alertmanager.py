"""The webhook against the real Alertmanager: what it sends is read, and 503 makes it come again."""

import asyncio
import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from healer.errors import TimelineError
from healer.model.alert import AlertStatus
from tests.fakes.edge import TOKEN, Served, served

PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(PROGRAM is None, reason="no alertmanager on PATH"),
]

CONFIG = """
route:
  receiver: healer
  group_by: [alertname]
  group_wait: 10ms
  group_interval: 20s
receivers:
  - name: healer
    webhook_configs:
      - url: http://127.0.0.1:{port}/webhook/alertmanager
        send_resolved: true
        http_config:
          authorization: {{type: Bearer, credentials: {token}}}
"""


@asynccontextmanager
async def alertmanager(folder: Path, edge: Served, port: int) -> AsyncGenerator[str]:
    """Running, with the edge as its only receiver; yields its address."""
    assert PROGRAM is not None
    config = folder / "alertmanager.yml"
    config.write_text(CONFIG.format(port=edge.port, token=TOKEN), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        PROGRAM,
        f"--config.file={config}",
        f"--storage.path={folder}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        await until_ready(edge, f"{url}/-/ready")
        yield url
    finally:
        process.terminate()
        await process.wait()


async def test_what_alertmanager_sends_is_read_and_503_makes_it_come_again(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    async with served() as edge, alertmanager(tmp_path, edge, unused_tcp_port) as url:
        edge.desk.broken = TimelineError("disk full")
        labels = {"alertname": "QueueLong", "service": "llm"}
        fields = {"labels": labels, "annotations": {"summary": "a\nb\u202e"}}
        start = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
        alert = fields | {"startsAt": start.isoformat()}
        async with edge.http.post(f"{url}/api/v2/alerts", json=[alert]) as response:
            assert response.status == 200
        await until(lambda: counted(edge, "503") >= 2)
        edge.desk.broken = None
        await until(lambda: counted(edge, "200") == 1)
    (group,) = edge.desk.received
    (received,) = group.alerts
    assert group.receiver == "healer"
    assert received.status is AlertStatus.FIRING
    assert received.labels == labels
    assert received.annotations == {"summary": "a\nb\u202e"}
    assert received.starts_at == start
    assert received.ends_at is None
    assert len(received.fingerprint) == 16


def counted(edge: Served, code: str) -> float:
    return edge.registry.get_sample_value("healer_webhooks_total", {"code": code}) or 0


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - a counter has no event of its own
            await asyncio.sleep(0.02)


async def until_ready(edge: Served, url: str) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                async with edge.http.get(url) as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.05)
