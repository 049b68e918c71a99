"""`healer playbook` shows what is in force, and says what a real alert would start and why."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from healer.cli.main import main
from tests.fakes.words import WORDS

CONFIG = """apiVersion: healer/v1
kind: Configuration
playbooks: [playbooks]
services:
  - name: api
    match: ['service="api"']
    workload: production/deployment/api
    selector: app=api
    severities: {critical: {severity: P1, pages: true, respond_within: 15m}}
"""
PLAYBOOK = """apiVersion: healer/v1
kind: Playbook
metadata: {name: SLOW, title: It is slow}
spec:
  match: [['alertname="Slow"']]
  diagnose: [{id: free, check: prometheus.query, with: {query: up}}]
  remedies:
    - name: grow
      when: checks.free.value < 1
      steps: [{id: more, action: kubernetes.scale, with: {by: 1}}]
  verify: {until: checks.free.value > 1, for: 2m}
"""
NARROW = PLAYBOOK.replace("SLOW", "POD").replace(
    "match: [['alertname=\"Slow\"']]",
    """match: [['alertname="Slow"', 'pod!=""']]
  target: 'production/pod/{{ alert.labels.pod }}'""",
)
OTHER = PLAYBOOK.replace("SLOW", "DOWN").replace('"Slow"', '"Down"')


def _alert(status: str = "firing", **labels: str) -> dict[str, Any]:
    return {
        "status": status,
        "labels": labels,
        "annotations": {},
        "startsAt": "2026-01-05T03:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "",
        "fingerprint": "-".join(labels.values()),
    }


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "healer.yaml").write_text(CONFIG)
    (tmp_path / "playbooks").mkdir()
    for name, text in {"slow": PLAYBOOK, "pod": NARROW, "down": OTHER}.items():
        (tmp_path / "playbooks" / f"{name}.yaml").write_text(text)
    alerts = [
        _alert(alertname="Slow", service="api", pod="api-0", severity="critical"),
        _alert(alertname="Slow", service="web"),
        _alert("resolved", alertname="Down", service="api"),
        _alert(alertname="Odd", service="api"),
    ]
    body = {"version": "4", "groupKey": "{}", "receiver": "healer", "alerts": alerts}
    (tmp_path / "group.json").write_text(json.dumps(body))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(*args: str) -> Result:
    return CliRunner().invoke(main, ["playbook", *args], obj=WORDS, catch_exceptions=False)


def test_the_list_is_by_name(house: Path) -> None:
    result = _run("list")
    assert result.exit_code == 0
    assert [line.split()[:3] for line in result.stdout.splitlines()] == [
        ["NAME", "MODE", "SERVICES"],
        ["DOWN", "approve", "any"],
        ["POD", "approve", "any"],
        ["SLOW", "approve", "any"],
    ]


def test_the_good_ones_are_listed_and_the_faults_of_others_told(house: Path) -> None:
    (house / "playbooks" / "slow.yaml").write_text("kind: [")
    result = _run("list")
    assert result.exit_code == 1
    assert "POD" in result.stdout
    assert result.stderr.startswith("playbooks/slow.yaml:1:")


def test_a_playbook_is_shown_for_people_and_for_programs(house: Path) -> None:
    page = _run("show", "SLOW").stdout
    assert "grow, when checks.free.value < 1" in page
    assert 'more: kubernetes.scale {"by": 1}' in page
    assert "healed when checks.free.value > 1, for 2m" in page
    document = json.loads(_run("show", "SLOW", "-o", "json").stdout)
    assert document["verify"]["for"] == "2m"
    assert document["match"] == [['alertname="Slow"']]
    assert yaml.safe_load(_run("show", "SLOW", "-o", "yaml").stdout) == document


def test_a_playbook_that_is_not_there_is_answered_with_those_that_are(house: Path) -> None:
    result = _run("show", "FAST")
    assert result.exit_code == 1
    assert "there is no usable playbook FAST; usable: DOWN, POD, SLOW" in result.stderr


def test_playbooks_can_be_named_without_a_configuration(house: Path) -> None:
    (house / "healer.yaml").unlink()
    result = _run("list", "--playbooks", "playbooks/slow.yaml")
    assert result.exit_code == 0
    assert "SLOW" in result.stdout


def test_the_schema_is_json(house: Path) -> None:
    assert json.loads(_run("schema").stdout)["title"] == "Playbook"


def test_it_explains_for_each_alert_what_starts_and_why_nothing_else(house: Path) -> None:
    result = _run("explain", "--alert", "group.json", "-o", "json")
    assert result.exit_code == 0
    slow, stranger, resolved, odd = json.loads(result.stdout)
    assert slow["starts"] == "POD"
    assert (slow["service"], slow["target"]) == ("api", "production/pod/api-0")
    assert slow["severity"] == "P1"
    assert slow["others"] == {
        "DOWN": 'alertname="Down" fails: alertname is "Slow"',
        "SLOW": 'alertname="Slow" holds, but `POD` is more specific',
    }
    assert stranger["service"] is None
    assert stranger["services"] == {"api": 'service="api" fails: service is "web"'}
    assert resolved["starts"] is None
    assert odd["starts"] is None
    assert len(odd["others"]) == 3


def test_it_explains_for_people(house: Path) -> None:
    text = _run("explain", "--alert", "group.json").stdout
    assert "Slow (firing): starts POD" in text
    assert "Slow (firing): about no service" in text
    assert "Down (resolved): starts nothing, for it is resolved" in text
    assert "Odd (firing): starts nothing" in text
    assert '  not DOWN: alertname="Down" fails: alertname is "Slow"' in text


def test_a_file_that_alertmanager_never_sent_is_refused(house: Path) -> None:
    (house / "group.json").write_text('{"version": "3"}')
    result = _run("explain", "--alert", "group.json")
    assert result.exit_code == 1
    assert 'group.json: not what Alertmanager sends: version: must be "4"' in result.stderr


@pytest.mark.parametrize(
    "args", [["explain"], ["explain", "--alert", "nowhere.json"], ["show"], ["list", "-o", "xml"]]
)
def test_wrong_usage_exits_2(house: Path, args: list[str]) -> None:
    assert _run(*args).exit_code == 2


def test_a_configuration_with_faults_is_told(house: Path) -> None:
    (house / "healer.yaml").write_text(CONFIG + "x: 1\n")
    result = _run("explain", "--alert", "group.json")
    assert result.exit_code == 1
    assert "healer.yaml:10:1: unknown key `x`" in result.stderr
