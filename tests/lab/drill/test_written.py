"""What healer asked the cluster to change is read from the audit log, for no word of its own is."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from healer.errors import PermanentError
from healer.lab.drill.written import Writer, written

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
HEALER = Writer(user="healer", namespace="test", since=SINCE)


def event(
    verb: str = "patch",
    *,
    user: str = "healer",
    after: float = 1,
    query: str = "",
    **about: str,
) -> Mapping[str, Any]:
    at = SINCE + timedelta(seconds=after)
    return {
        "verb": verb,
        "user": {"username": user},
        "requestURI": f"/apis/apps/v1/namespaces/test/deployments/web{query}",
        "objectRef": {"resource": "deployments", "namespace": "test", "name": "web", **about},
        "requestReceivedTimestamp": at.isoformat(),
    }


def found(tmp_path: Path, *events: Mapping[str, Any], by: Writer = HEALER) -> list[str]:
    log = tmp_path / "audit.log"
    log.write_text("".join(json.dumps(one) + "\n" for one in events))
    return written(log, by)


def test_only_what_that_user_asked_for_since_is_told(tmp_path: Path) -> None:
    scaled = event("update", subresource="scale")
    log = event(), event(after=-1), event(user="lab-admin"), event(namespace="other"), scaled
    assert found(tmp_path, *log) == ["patch deployments/web", "update deployments/web/scale"]


def test_what_changes_nothing_is_not_told(tmp_path: Path) -> None:
    review = event("create", namespace="", resource="selfsubjectaccessreviews")
    rehearsed = event(query="?dryRun=All")
    command = event("create", resource="pods", subresource="exec")
    assert found(tmp_path, review, rehearsed, command) == []


def test_without_a_log_nothing_is_proven(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="audit log"):
        written(tmp_path / "absent", HEALER)


def test_what_a_server_is_asked_by_the_proxy_counts_but_in_a_rehearsal(tmp_path: Path) -> None:
    asked = dict(event("create", resource="pods", subresource="proxy"))
    asked["requestURI"] = "/api/v1/namespaces/test/pods/web:8080/proxy/admin/cache/evict?a=b"
    assert found(tmp_path, asked) == ["create pods/web/proxy/admin/cache/evict"]
    assert found(tmp_path, asked, by=replace(HEALER, rehearses=True)) == []
