"""The parts of the lab's world that need no processes: its sites, its tempo, its state."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from healer.app.vocabulary import vocabulary
from healer.errors import PermanentError
from healer.lab import tempo
from healer.lab.drill.catalog import SCENARIOS
from healer.lab.drill.untouched import Snapshot, differences, moved
from healer.lab.load import Flood
from healer.lab.monitoring import compress
from healer.lab.monitoring.compress import Compression
from healer.lab.site import ROOT, SITES, Keys, Places, configuration
from healer.lab.state import Home, State, alive
from healer.lab.world import Plan
from healer.playbook.loader import load
from healer.playbook.schema import EscalatePart, StepPart, VerifyPart
from healer.settings import load_settings

SIXTY = Compression(factor=60)
PLAYBOOK = """
apiVersion: healer/v1
kind: Playbook
metadata: {name: X, title: x}
spec:
  services: [largeforge]
  match: [['alertname="A"']]
  guards: [{guard: cooldown, with: {after: 5m}}]
  diagnose:
    - {id: a, check: prometheus.query, with: {query: 'rate(x{le="[5m]"}[5m]) > 5'}}
    - {id: b, check: prometheus.range, with: {query: x, over: 30m, step: 1m}}
    - {id: c, check: inference.cache, with: {older_than: 7d}}
  remedies:
    - name: r
      when: 'true'
      steps:
        - {id: s, action: kubernetes.scale, with: {replicas: 2}, timeout: 10m}
        - {id: w, action: flow.wait, with: {for: 2m}}
        - {id: u, action: flow.wait-until, with: {query: 'rate(x[5m])', below: 1, every: 5s}}
  verify: {until: 'true', for: 2m, timeout: 90m}
  escalate: {after: 2h}
"""


def test_a_playbook_keeps_all_but_its_durations() -> None:
    shipped = yaml.safe_load(PLAYBOOK)
    found = tempo.compressed(shipped, SIXTY)
    spec = found["spec"]
    assert spec["guards"][0]["with"] == {"after": "5s"}
    query, trend, cache = (check["with"] for check in spec["diagnose"])
    assert query == {"query": 'rate(x{le="[5m]"}[5s]) > 5'}
    assert trend == {"query": "x", "over": "30s", "step": "1s"}
    assert cache == {"older_than": "7d"}  # a file of seven days is really that old
    scale, wait, until = spec["remedies"][0]["steps"]
    assert (scale["with"], scale["timeout"]) == ({"replicas": 2}, "1m")
    assert wait["with"] == {"for": "2s"}
    assert until["with"] == {"query": "rate(x[5s])", "below": 1, "every": "1s"}
    assert until["timeout"] == "10s"  # what only waits needs no time for work
    assert spec["verify"] == {
        "until": "true", "for": "2s", "timeout": "1m30s", "every": "1s", "watch": "30s",
    }  # fmt: skip
    assert spec["escalate"] == {"after": "2m", "update_every": "1m"}
    assert {key: found[key] for key in ("metadata", "kind")} == {
        "metadata": shipped["metadata"],
        "kind": "Playbook",
    }
    assert shipped == yaml.safe_load(PLAYBOOK)


def test_what_is_not_written_is_compressed_from_the_true_defaults() -> None:
    written = VerifyPart.model_validate({"until": "true", **tempo.VERIFY})
    assert written == VerifyPart(until="true")
    assert EscalatePart.model_validate({"update_every": tempo.UPDATE}) == EscalatePart()
    step = {"id": "a", "action": "b"}
    assert StepPart.model_validate({**step, "timeout": tempo.STEP}) == StepPart.model_validate(step)


def test_a_playbook_for_services_that_do_not_run_here_is_left_out() -> None:
    assert tempo.concerns(PLAYBOOK, {"largeforge", "other"})
    assert not tempo.concerns(PLAYBOOK, {"other"})
    assert tempo.concerns(PLAYBOOK.replace("services: [largeforge]", ""), {"other"})


@pytest.fixture
def places(tmp_path: Path) -> Places:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("{}")
    (tmp_path / "playbooks").mkdir()
    return Places(
        port=18080,
        kubeconfig=kubeconfig,
        prometheus="http://127.0.0.1:9090",
        alertmanager="http://127.0.0.1:9093",
        slack="http://127.0.0.1:1",
        pagerduty="http://127.0.0.1:2",
        playbooks=tmp_path / "playbooks",
        timeline=tmp_path / "healer.db",
        fronts={"largeforge": "127.0.0.1:18443"},
    )


def test_the_daemon_takes_the_configuration_of_the_lab_and_all_its_playbooks(
    places: Places, tmp_path: Path
) -> None:
    sites = list(SITES.values())
    path = tmp_path / "healer.yaml"
    written = yaml.safe_dump(configuration(places, sites, factor=60))
    keys = Keys(webhook="w" * 8, operator="o", slack="s", signing="i", pagerduty="p")
    assert not any(secret in written for secret in ("w" * 8, "1" * 32, "2" * 32))
    path.write_text(written)
    settings = load_settings(path, keys.environment(sites))
    for playbook in (ROOT / "playbooks").glob("*.yaml"):
        compressed = tempo.playbook(playbook.read_text(), SIXTY)
        (places.playbooks / playbook.name).write_text(compressed)
    loaded = load([places.playbooks], vocabulary(settings), settings.known_services)
    assert loaded.faults == ()
    known = {playbook.name for playbook in loaded.playbooks}
    assert {scenario.playbook for scenario in SCENARIOS.values()} <= known


def test_a_router_brings_along_whoever_plays_its_experts_and_comes_after_them(
    tmp_path: Path,
) -> None:
    plan = Plan(home=Home(tmp_path), services=("largeforge-router",))
    names = [site.name for site in plan.sites]
    assert names == ["llm-inference", "largeforge", "largeforge-router"]
    assert [site.name for site in replace(plan, services=("largeforge",)).sites] == ["largeforge"]
    assert all(set(site.experts.values()) <= set(names) for site in SITES.values())


def test_every_threshold_of_a_site_is_one_that_the_shipped_rules_record(tmp_path: Path) -> None:
    by = Plan(home=Home(tmp_path)).compression
    rules = [
        yaml.safe_load(path.read_text()) for path in (ROOT / "alertmanager/rules").glob("*.yml")
    ]
    assert by.thresholds
    assert compress.unknown_thresholds(rules, by) == []


def state(**changes: Any) -> State:
    known: dict[str, Any] = dict.fromkeys(State.__slots__, "")
    known |= {"pid": os.getpid(), "factor": 60.0, "dry_run": False, "services": {"a": "http://b"}}
    return State(**(known | changes))


def test_the_state_of_a_lab_is_found_as_long_as_its_process_lives(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.read() is None
    home.write(state())
    assert home.read() == state()
    assert (tmp_path / "lab.json").stat().st_mode & 0o077 == 0  # it holds tokens
    home.write(state(pid=2**22 + 1))
    assert home.read() is None
    with pytest.raises(PermanentError, match="healer lab up"):
        home.require()


def test_a_new_lab_removes_what_killed_ones_left_and_nothing_else(tmp_path: Path) -> None:
    dead, living = tmp_path / "labs" / f"{2**22 + 1}-1", tmp_path / "labs" / f"{os.getppid()}-1"
    for folder in (dead, living, tmp_path / "labs" / "notes"):
        (folder / "deep").mkdir(parents=True)
    made, beside = Home(tmp_path).new_folder(), Home(tmp_path).new_folder()
    assert (made.name, beside.name) == (f"{os.getpid()}-1", f"{os.getpid()}-2")
    left = {folder.name for folder in (tmp_path / "labs").iterdir()}
    assert left == {made.name, beside.name, living.name, "notes"}


def test_a_process_that_is_gone_is_not_alive() -> None:
    assert alive(os.getpid())
    assert not alive(2**22 + 1)


@pytest.mark.parametrize(
    ("url", "rate", "message"),
    [
        ("http://example.com", 1.0, "nowhere else"),
        ("http://127.example.com", 1.0, "nowhere else"),
        ("http://127.0.0.1:1", 51.0, "at most"),
        ("http://127.0.0.1:1", 0.0, "at most"),
        ("http://127.0.0.1:1", float("nan"), "at most"),
    ],
)
def test_a_flood_goes_nowhere_else_and_has_bounds(url: str, rate: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Flood(url, rate=rate, seconds=1, tokens=1)


def thing(version: str, **rest: Any) -> dict[str, Any]:
    return {"metadata": {"name": "x", "resourceVersion": version}, **rest}


def test_a_rehearsal_that_wrote_anything_is_found_out() -> None:
    before = Snapshot(
        objects={
            "pods/a": thing("1", spec={"x": 1}, status={"ready": False}),
            "pods/b": thing("2", spec={"x": 1}),
            "pods/c": thing("3"),
        },
        files=frozenset({"one 1 5", "two 1 5"}),
    )
    after = Snapshot(
        objects={
            "pods/a": thing("7", spec={"x": 1}, status={"ready": True}),
            "pods/b": thing("8", spec={"x": 2}),
            "pods/d": thing("9"),
        },
        files=frozenset({"one 1 6", "two 1 5"}),
    )
    assert differences(before, before) == []
    assert differences(before, after) == [
        "pods/c is gone",
        "pods/d is new",
        "pods/b was changed (2 to 8)",
        "file one 1 5 is gone or changed",
        "file one 1 6 is new",
    ]
    assert moved(before, after) == ["pods/a", "pods/b"]
