"""A drill on paper: what is in the report stands there, and what was said elsewhere stays text."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from healer.errors import PermanentError
from healer.lab.drill.catalog import SCENARIOS
from healer.lab.drill.folder import write
from healer.lab.drill.page import html, index_html, index_markdown, markdown, plot
from healer.lab.drill.report import Report
from healer.lab.drill.telling import TELLING

STRUCK = datetime(2026, 1, 1, tzinfo=UTC)


def entry(seconds: float, words: str = "", **event: Any) -> dict[str, Any]:
    at = (STRUCK + timedelta(seconds=seconds)).isoformat()
    return {"seq": int(seconds * 10), "at": at, "words": words, "event": event}


def report(name: str = "SCENARIO-2", *, healed: bool = True) -> Report:
    entries = [
        entry(3.0, "Alerts: firing A|B.", type="AlertsReceived", alerts=[{"fingerprint": "a"}]),
        entry(3.1, "Chosen.", type="Chosen", remedy=SCENARIOS[name].remedy),
        entry(3.2, "Doing evict.", type="StepStarted", step="evict", action="inference.x"),
        entry(4.0, "told", type="NoticeSent", channel="slack"),
    ]
    if healed:
        entries.append(entry(6.5, "Healed.", type="Verified", moment="after", healed=True))
    return Report(
        scenario=SCENARIOS[name],
        struck_at=STRUCK,
        entries=entries,
        slack="<b>not bold</b>",
        pagerduty="",
        dry_run=False,
        factor=60.0,
        series=[(-1.0, 190.0), (0.0, 0.0), (5.0, 190.0)],
    )


def test_the_plot_marks_the_fault_the_alert_the_steps_and_the_end() -> None:
    picture = plot(report())
    for label in (">fault<", ">alert<", ">evict<", ">verified healed<", "free space on the volume"):
        assert label in picture


def test_what_the_drill_itself_took_away_is_not_taken_for_a_cure() -> None:
    mended = replace(report(), mended_at=STRUCK + timedelta(seconds=8))

    assert "rest of the fault taken away" in plot(mended)
    assert "rest of the fault taken away" not in plot(report())


def test_the_text_for_a_ticket_has_the_times_beside_what_the_runbook_expects() -> None:
    text = markdown(report())
    assert text.startswith("# SCENARIO-2: healed\n")
    assert "| heal | 6.5 s | < 5 min |" in text
    assert "| alert to first step | 0.20 s | < 1 s |" in text
    assert "| +3.0 s | Alerts: firing A\\|B. |" in text
    assert "![SCENARIO-2](SCENARIO-2.svg)" in text


def test_what_others_said_stays_text_on_the_page() -> None:
    page = html(report())
    assert "&lt;b&gt;not bold&lt;/b&gt;" in page
    assert "<b>" not in page
    assert "<svg" in page
    assert 'class="good"' in page


def test_a_drill_that_did_not_end_as_it_must_says_so_everywhere() -> None:
    failed = report(healed=False)
    assert "not as it must be:** it was not healed" in markdown(failed)
    assert "it was not healed" in html(failed)
    index = index_markdown([report(), failed], at=STRUCK)
    assert "1 of 2 ended as they must" in index
    assert "NOT as it must: it was not healed" in index
    assert 'class="bad"' in index_html([failed], at=STRUCK)


def test_the_folder_holds_all_of_it_and_begins_at_the_index(tmp_path: Path) -> None:
    begin = write(tmp_path / "new" / "report", [report(), report("SCENARIO-2.grow")])

    assert begin.name == "index.html"
    names = {path.name for path in begin.parent.iterdir()}
    assert {"index.md", "index.json", "SCENARIO-2.svg", "SCENARIO-2.grow.html"} <= names
    assert 'href="SCENARIO-2.grow.html"' in begin.read_text()
    found = json.loads((begin.parent / "index.json").read_text())
    assert [one["drill"] for one in found["drills"]] == ["SCENARIO-2", "SCENARIO-2.grow"]
    assert found["drills"][0]["series"] == [[-1.0, 190.0], [0.0, 0.0], [5.0, 190.0]]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PermanentError, match="the report cannot be written to"):
        write(tmp_path / "file" / "below", [report()])


def test_every_drill_has_a_metric_that_tells_of_it() -> None:
    assert {scenario.playbook for scenario in SCENARIOS.values()} <= TELLING.keys()
