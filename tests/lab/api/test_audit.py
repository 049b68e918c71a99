"""The audit log tells who wanted to change what, in the words of Kubernetes' own."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from healer.lab.drill.written import Writer, written
from tests.fakes.apiserver import JANE, deployment, serve

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
MERGE = "application/merge-patch+json"


def events(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


async def test_what_changes_is_written_down_with_who_and_what_and_when(tmp_path: Path) -> None:
    log, before = tmp_path / "audit.log", datetime.now(UTC)
    async with serve(audit=log) as lab:
        await lab.call("POST", DEPLOYMENTS, deployment())
        patch = {"metadata": {"labels": {"seen": "yes"}}}
        await lab.call("PATCH", f"{DEPLOYMENTS}/web", patch, content_type=MERGE)
    created, patched = events(log)
    assert (created["verb"], patched["verb"]) == ("create", "patch")
    assert patched["user"]["username"] == "admin"
    assert patched["objectRef"] == {
        "resource": "deployments",
        "namespace": "default",
        "name": "web",
        "apiGroup": "apps",
        "apiVersion": "v1",
    }
    assert before <= datetime.fromisoformat(patched["requestReceivedTimestamp"])
    asked = ["create deployments", "patch deployments/web"]
    admin = Writer(user="admin", namespace="default", since=before)
    assert written(log, admin) == asked


async def test_what_only_reads_is_not_and_what_is_refused_is(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    async with serve(audit=log) as lab:
        await lab.call("GET", DEPLOYMENTS)
        await lab.call("GET", "/healthz")
        refused = await lab.call("DELETE", f"{DEPLOYMENTS}/web", token=JANE)
    assert refused.code == 403
    (wanted,) = events(log)
    assert (wanted["verb"], wanted["user"]["username"]) == ("delete", "jane")


async def test_where_nobody_wrote_the_log_is_there_and_empty(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    async with serve(audit=log) as lab:
        await lab.call("GET", DEPLOYMENTS)
    assert events(log) == []


async def test_a_command_in_a_pod_counts_though_it_is_a_get(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    async with serve(audit=log) as lab:
        await lab.call("GET", "/api/v1/namespaces/default/pods/web/exec?command=rm")
    (wanted,) = events(log)
    assert wanted["objectRef"]["subresource"] == "exec"
    assert "command=rm" in wanted["requestURI"]
