"""The shipped rules and routes, judged by the programs that will read them."""

import subprocess
from pathlib import Path

import pytest
import yaml

SHIPPED = Path(__file__).parents[2] / "alertmanager"
RULES = sorted((SHIPPED / "rules").glob("*.yml"))
CASES = sorted((SHIPPED / "rules" / "tests").glob("*.yml"))

pytestmark = pytest.mark.real


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_accepts_all_rules() -> None:
    assert "FAILED" not in run("promtool", "check", "rules", *RULES)


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_the_rules_fire_and_keep_silent_as_their_cases_say(case: Path) -> None:
    run("promtool", "test", "rules", case)


def test_amtool_accepts_the_routes() -> None:
    assert "SUCCESS" in run("amtool", "check-config", SHIPPED / "alertmanager.yml")


def test_an_alert_is_routed_to_healer() -> None:
    routed = run(
        "amtool",
        "config",
        "routes",
        "test",
        f"--config.file={SHIPPED / 'alertmanager.yml'}",
        "alertname=DiskSpaceLow",
        "service=llm-inference",
    )
    assert routed.strip() == "healer"


def test_every_alert_has_a_firing_case_and_a_silent_case() -> None:
    fired: set[str] = set()
    silent: set[str] = set()
    for path in CASES:
        for test in yaml.safe_load(path.read_text())["tests"]:
            for expected in test["alert_rule_test"]:
                (fired if expected["exp_alerts"] else silent).add(expected["alertname"])
    files = [yaml.safe_load(path.read_text()) for path in RULES]
    groups = [group for file in files for group in file["groups"]]
    alerts = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
    assert alerts == fired == silent


def test_every_alert_carries_severity_summary_and_runbook() -> None:
    for path in RULES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                if "alert" in rule:
                    assert rule["labels"]["severity"] in {"warning", "critical"}
                    assert rule["annotations"].keys() >= {"summary", "runbook_url"}
