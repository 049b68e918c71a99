"""Tables: ages as kubectl writes them, cells of the kinds that people look at, and watching."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from healer.lab.api.resource import BY_PLURAL
from healer.lab.api.table import age, table
from healer.lab.contract import Object
from tests.fakes.apiserver import ADMIN, Lab, pod
from tests.fakes.kubelet import node_object

NOW = datetime(2030, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (135, "2m15s"),
        (600, "10m"),
        (10740, "179m"),
        (10800, "3h"),
        (12600, "3h30m"),
        (36000, "10h"),
        (172800, "2d"),
    ],
)
def test_ages_have_at_most_two_units(seconds: int, shown: str) -> None:
    since = (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert age(since, NOW) == shown


def test_an_age_that_is_not_known_says_so() -> None:
    assert age(None, NOW) == "<unknown>"


def container(**state: Any) -> Object:
    """A pod whose container is in that state."""
    statuses = [{"name": "main", "ready": False, "restartCount": 3, "state": state}]
    return pod("a") | {"status": {"phase": "Running", "containerStatuses": statuses}}


ending = container(running={})
ending["metadata"]["deletionTimestamp"] = "2030-01-10T00:00:00Z"
cordoned = node_object() | {"spec": {"unschedulable": True}}


@pytest.mark.parametrize(
    ("plural", "obj", "cells"),
    [
        (
            "pods",
            container(waiting={"reason": "CrashLoopBackOff"}),
            ["0/1", "CrashLoopBackOff", "3"],
        ),
        ("pods", container(terminated={"reason": "OOMKilled"}), ["0/1", "OOMKilled", "3"]),
        ("pods", container(terminated={"exitCode": 7}), ["0/1", "ExitCode:7", "3"]),
        ("pods", ending, ["0/1", "Terminating", "3"]),
        ("nodes", cordoned, ["Ready,SchedulingDisabled", "<none>", "<none>"]),
        (
            "services",
            {"spec": {"type": "ClusterIP", "ports": [{"port": 80}]}},
            ["ClusterIP", "<none>", "80/TCP"],
        ),
        (
            "endpoints",
            {"subsets": [{"addresses": [{"ip": "127.1.1.1"}], "ports": [{"port": 8000}]}]},
            ["127.1.1.1:8000"],
        ),
    ],
)
def test_cells_say_what_people_look_for(plural: str, obj: Object, cells: list[Any]) -> None:
    found = table(BY_PLURAL[plural], [obj], now=NOW, include="None")
    assert found["rows"][0]["cells"][1:-1] == cells
    assert "object" not in found["rows"][0]


async def test_a_watched_table_names_its_columns_once(lab: Lab) -> None:
    for name in ("a", "b"):
        lab.store.create("pods", pod(name))
    headers = {
        "Authorization": f"Bearer {ADMIN}",
        "Accept": "application/json;as=Table;v=v1;g=meta.k8s.io",
    }
    url = f"{lab.server.url}/api/v1/pods?watch=1&timeoutSeconds=1"
    async with lab.http.get(url, headers=headers) as found:
        first, second = [json.loads(line) async for line in found.content]
    assert first["object"]["columnDefinitions"][0]["name"] == "Name"
    assert second["object"]["columnDefinitions"] is None
    assert [one["object"]["rows"][0]["cells"][0] for one in (first, second)] == ["a", "b"]
