"""What an operator reads of drills: each time beside what is expected, and a dash for none."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from healer.cli.drill import as_table, as_text
from healer.lab.drill.catalog import SCENARIOS
from healer.lab.drill.report import Report

STRUCK = datetime(2026, 1, 1, tzinfo=UTC)
EVENTS: dict[float, dict[str, Any]] = {
    3.25: {"type": "AlertsReceived", "alerts": [{"fingerprint": "one"}]},
    3.5: {"type": "StepStarted", "step": "evict", "action": "inference.cache-evict"},
    6.75: {"type": "Verified", "moment": "after", "healed": True},
}


def report() -> Report:
    return Report(
        scenario=SCENARIOS["SCENARIO-2"],
        struck_at=STRUCK,
        entries=[
            {
                "seq": number,
                "at": (STRUCK + timedelta(seconds=at)).isoformat(),
                "event": event,
                "words": str(event["type"]),
                "detail": str(event["type"]),
            }
            for number, (at, event) in enumerate(EVENTS.items())
        ],
        slack="",
        pagerduty="",
        dry_run=False,
        factor=60,
    )


def test_one_drill_tells_its_times_beside_what_is_expected() -> None:
    told = [line.split("  ") for line in as_text(report()).splitlines()]
    rows = {line[0].strip(): [cell.strip() for cell in line[1:] if cell.strip()] for line in told}
    assert rows["detect"] == ["(fault -> alert received)", "3.2 s"]
    assert rows["react"] == ["(alert received -> first step)", "0.25 s", "< 1 s"]
    assert rows["act"] == ["(fault -> first step)", "3.5 s"]
    assert rows["heal"] == ["(fault -> verified healed)", "6.8 s", "< 5 min"]


def test_many_drills_are_a_line_each_and_what_never_came_is_a_dash() -> None:
    head, first, second = as_table([report(), replace(report(), entries=())]).splitlines()
    assert head.split()[2:6] == ["DETECT", "REACT", "ACT", "HEAL"]
    assert "3.2 s   0.25 s  3.5 s  6.8 s" in first
    assert second.split()[1:6] == ["-"] * 5
