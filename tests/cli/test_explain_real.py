"""`healer playbook explain` on what the real Alertmanager sends, with what is shipped."""

import asyncio
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from click.testing import CliRunner

from healer.cli.main import main
from tests.fakes.strangers import CONFIG, PLAYBOOKS
from tests.fakes.stub import says, stub_server

PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(PROGRAM is None, reason="no alertmanager on PATH"),
]
ROUTES = """
route: {{receiver: healer, group_by: [cluster], group_wait: 500ms}}
receivers:
  - name: healer
    webhook_configs: [{{url: '{url}/hook', send_resolved: true}}]
"""
ALERTS: Mapping[str, Mapping[str, str]] = {
    "DiskSpaceLow": {"service": "llm-inference", "namespace": "production", "severity": "warning"},
    "HighLatency": {"service": "largeforge", "severity": "critical"},
    "KubePodCrashLooping": {"service": "kube-state-metrics", "namespace": "production"},
}


async def _delivered(folder: Path, port: int) -> bytes:
    """The body of one webhook of the real Alertmanager, with these alerts in it."""
    assert PROGRAM is not None
    async with stub_server() as stub, aiohttp.ClientSession() as http:
        stub.on("POST", "/hook", says())
        (folder / "alertmanager.yml").write_text(ROUTES.format(url=stub.url))
        process = await asyncio.create_subprocess_exec(
            PROGRAM,
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(40):
                await _post(http, f"http://127.0.0.1:{port}/api/v2/alerts")
                while not stub.asked:  # noqa: ASYNC110 - what arrives has no event of its own
                    await asyncio.sleep(0.05)
        finally:
            process.terminate()
            await process.wait()
        return stub.asked[0].body


async def _post(http: aiohttp.ClientSession, url: str) -> None:
    """As soon as it listens."""
    alerts = [{"labels": {"alertname": name, **labels}} for name, labels in ALERTS.items()]
    while True:
        try:
            async with http.post(url, json=alerts) as response:
                if response.status == 200:
                    return
        except aiohttp.ClientConnectionError:
            pass
        await asyncio.sleep(0.05)


def _explain(body: bytes, folder: Path, *args: str) -> str:
    path = folder / "webhook.json"
    path.write_bytes(body)
    named = ["--alert", str(path), "--config", str(CONFIG), "--playbooks", str(PLAYBOOKS)]
    result = CliRunner().invoke(main, ["playbook", "explain", *named, *args])
    assert result.exit_code == 0, result.output
    return result.stdout


async def test_it_says_which_playbook_starts_for_whom_and_why_no_other(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    body = await _delivered(tmp_path, unused_tcp_port)
    rows: list[dict[str, Any]] = json.loads(_explain(body, tmp_path, "-o", "json"))
    told = {row["alert"]: row for row in rows}
    assert told.keys() == ALERTS.keys()
    playbooks = {path.stem for path in PLAYBOOKS.glob("*.yaml")}

    disk = told["DiskSpaceLow"]
    assert (disk["starts"], disk["service"]) == ("SCENARIO-2", "llm-inference")
    assert disk["target"] == "production/deployment/llm-inference"
    assert disk["others"].keys() == playbooks - {"SCENARIO-2"}
    assert disk["others"]["INC-001"] == "it is for largeforge, not for llm-inference"
    assert all(disk["others"].values())

    slow = told["HighLatency"]
    assert (slow["starts"], slow["service"]) == ("INC-001", "largeforge")
    assert slow["target"] == "largeforge/deployment/largeforge-inference"
    assert slow["others"].keys() == playbooks - {"INC-001"}

    stranger = told["KubePodCrashLooping"]
    assert (stranger["service"], stranger["starts"]) == (None, None)
    assert "kube-state-metrics" in stranger["services"]["llm-inference"]

    page = _explain(body, tmp_path)
    assert "DiskSpaceLow (firing): starts SCENARIO-2" in page
    assert "not INC-001: it is for largeforge, not for llm-inference" in page
    assert "KubePodCrashLooping (firing): about no service" in page
