"""The table of alerts in the README says what the rules do."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

SHIPPED = Path(__file__).parents[2] / "alertmanager"
THRESHOLD = re.compile(r"\bthreshold:\w+:\w+\b")

Rule = dict[str, Any]


def rules() -> list[Rule]:
    files = [yaml.safe_load(path.read_text()) for path in sorted((SHIPPED / "rules").glob("*.yml"))]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def rows() -> list[list[str]]:
    """The cells of the table whose first column is `alert`."""
    section = (SHIPPED / "README.md").read_text().split("## Every alert")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


ALERTS = {
    (rule["alert"], rule["labels"]["severity"], rule["labels"].get("stuck", ""), rule["expr"]): rule
    for rule in rules()
    if "alert" in rule
}


def row_of(rule: Rule) -> list[str]:
    """The one row that is about this rule."""
    labels = rule["labels"]
    asked = judged(rule)
    found = [
        row
        for row in rows()
        if row[0].split()[0].strip("`") == rule["alert"]
        and row[4] == labels["severity"]
        and ("stuck" in row[0]) == ("stuck" in labels)
        and row[0].partition('cause="')[2].partition('"')[0] == labels.get("cause", "")
        and (not asked or set(row[5].split(", ")) == {service for service, _ in asked})
    ]
    assert len(found) == 1, (rule["alert"], found)
    return found[0]


def judged(rule: Rule) -> set[tuple[str, float]]:
    """Service and value of the thresholds that a rule asks for, but for those that only excuse."""
    asked = "" if rule["alert"] == "MetricsMissing" else str(rule["expr"])
    names: set[str] = set(THRESHOLD.findall(asked))
    return {
        (one["labels"]["service"], float(one["expr"].removeprefix("vector(").rstrip(")")))
        for one in rules()
        if one.get("record") in names
    }


@pytest.mark.parametrize("rule", ALERTS.values(), ids=lambda rule: rule["alert"])
def test_a_row_tells_time_services_and_figures_of_each_rule(rule: Rule) -> None:
    row = row_of(rule)
    assert row[3] == rule.get("for", "0s")
    for _, value in judged(rule):
        assert re.search(rf"(?<![\d.])({value:g}|{value * 100:g} %)(?![\d.])", row[2]), row


def test_no_row_is_about_an_alert_that_is_not_there() -> None:
    told = {tuple(row_of(rule)) for rule in ALERTS.values()}
    assert {tuple(row) for row in rows()} == told
