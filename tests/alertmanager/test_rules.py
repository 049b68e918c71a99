"""The shipped rules and routes, judged by the programs that will read them."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

SHIPPED = Path(__file__).parents[2] / "alertmanager"
RULES = sorted((SHIPPED / "rules").glob("*.yml"))
CASES = sorted((SHIPPED / "rules" / "tests").glob("*.yml"))
THRESHOLD = re.compile(r"\bthreshold:\w+:\w+\b")

Rule = dict[str, Any]

pytestmark = pytest.mark.real


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rules() -> Iterator[Rule]:
    for path in RULES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]


def alerts() -> list[Rule]:
    return [rule for rule in rules() if "alert" in rule]


def expected() -> Iterator[tuple[str, list[Rule]]]:
    """Name of the alert and what must fire, of every case."""
    for path in CASES:
        for test in yaml.safe_load(path.read_text())["tests"]:
            for case in test["alert_rule_test"]:
                yield case["alertname"], case["exp_alerts"]


def test_promtool_accepts_all_rules() -> None:
    assert "FAILED" not in run("promtool", "check", "rules", *RULES)


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_the_rules_fire_and_keep_silent_as_their_cases_say(case: Path) -> None:
    run("promtool", "test", "rules", case)


def test_amtool_accepts_the_routes() -> None:
    assert "SUCCESS" in run("amtool", "check-config", SHIPPED / "alertmanager.yml")


@pytest.mark.parametrize(
    "labels",
    [
        ("alertname=DiskSpaceLow", "service=llm-inference", "severity=warning"),
        ("alertname=ExpertDown", "service=largeforge", "severity=critical"),
        ("alertname=CircuitBreakerOpen", "service=llm-inference", "stuck=true"),
        ("alertname=VLLMPartialFailure", "service=vllm", "severity=critical"),
        ("alertname=MetricsMissing", "service=largeforge", "source=dcgm"),
        ("alertname=KubePodCrashLooping", "namespace=other", "severity=warning"),
    ],
    ids=lambda labels: labels[0],
)
def test_an_alert_is_routed_to_healer(labels: tuple[str, ...]) -> None:
    config = f"--config.file={SHIPPED / 'alertmanager.yml'}"
    assert run("amtool", "config", "routes", "test", config, *labels).strip() == "healer"


def test_there_is_one_route_for_each_route_makes_groups_of_its_own() -> None:
    route = yaml.safe_load((SHIPPED / "alertmanager.yml").read_text())["route"]
    assert "routes" not in route
    assert route["group_by"] == ["namespace", "service"]


def test_every_alert_has_a_firing_case_and_a_silent_case() -> None:
    fired = {name for name, firing in expected() if firing}
    silent = {name for name, firing in expected() if not firing}
    assert {rule["alert"] for rule in alerts()} == fired == silent


def test_of_alerts_of_one_name_each_has_a_firing_case() -> None:
    fired = [(name, alert["exp_labels"]) for name, firing in expected() for alert in firing]
    for rule in alerts():
        assert any(
            name == rule["alert"] and labels.items() >= rule["labels"].items()
            for name, labels in fired
        ), rule


def test_every_alert_carries_severity_summary_and_runbook() -> None:
    for rule in alerts():
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"].keys() >= {"summary", "runbook_url"}


def test_every_alert_says_of_which_service_and_namespace_it_is() -> None:
    for name, firing in expected():
        for alert in firing:
            assert alert["exp_labels"].keys() >= {"service", "namespace"}, name


def test_thresholds_that_are_asked_for_are_those_that_there_are() -> None:
    asked = {name for rule in rules() for name in THRESHOLD.findall(str(rule["expr"]))}
    named = {rule.get("record", "") for rule in rules()}
    assert asked == {name for name in named if name.startswith("threshold:")}


def test_inhibition_names_alerts_that_there_are() -> None:
    names = {rule["alert"] for rule in alerts()}
    for one in yaml.safe_load((SHIPPED / "alertmanager.yml").read_text())["inhibit_rules"]:
        for matcher in one["source_matchers"] + one["target_matchers"]:
            label, value = re.split(r"\s*=~?\s*", matcher, maxsplit=1)
            if label == "alertname":
                assert set(value.strip('"').split("|")) <= names
