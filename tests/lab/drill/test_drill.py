"""The drills as an operator starts them: real servers, a real fault, the unchanged daemon."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model is made once for all drills."""
    return tmp_path_factory.mktemp("labs")


def drill(home: Path, name: str, *options: str) -> dict[str, Any]:
    """The report of a drill that must pass; how soon is no matter while other tests run beside."""
    command = [sys.executable, "-m", "healer", "lab", "drill", name, "--first-step=30", *options]
    command += ["--home", str(home), "--factor", "120", "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, f"{done.stderr}\n{done.stdout}"
    (report,) = json.loads(done.stdout)
    assert list((home / "labs").iterdir()) == []
    found: dict[str, Any] = report
    return found


def events(report: dict[str, Any], *kinds: str) -> list[dict[str, Any]]:
    found = [entry["event"] for entry in report["timeline"]]
    return [event for event in found if event["type"] in kinds]


def assert_in_order(report: dict[str, Any], *wanted: dict[str, Any]) -> None:
    """Each of these stands in the timeline, after the one before it."""
    entries = iter(entry["event"] for entry in report["timeline"])
    for want in wanted:
        assert any(want.items() <= _flat(event).items() for event in entries), want


def _flat(event: dict[str, Any]) -> dict[str, Any]:
    """Only what can be compared by `<=`, with the outcome of a step beside it."""
    outcome = event.get("outcome", {})
    plain = {key: value for key, value in event.items() if not isinstance(value, dict | list)}
    return plain | {key: value for key, value in outcome.items() if key == "result"}


def healing(*steps: str) -> list[dict[str, Any]]:
    """The lines of a heal by these steps."""
    lines: list[dict[str, Any]] = [
        {"type": "Opened"},
        {"type": "AlertsReceived"},
        {"type": "PlaybookMatched", "mode": "auto"},
        {"type": "Diagnosed"},
        {"type": "Verified", "moment": "before", "healed": False},
        {"type": "Chosen"},
        {"type": "Judged", "step": None, "decision": "allow"},
    ]
    for step in steps:
        lines += [
            {"type": "Judged", "step": step, "decision": "allow"},
            {"type": "StepStarted", "step": step, "attempt": 1, "dry_run": False},
            {"type": "StepFinished", "step": step, "result": "succeeded"},
        ]
    return [
        *lines,
        {"type": "Verified", "moment": "after", "healed": True},
        {"type": "Closed", "ending": "healed"},
        {"type": "NoticeSent", "channel": "slack"},
        {"type": "Archived"},
    ]


def assert_told(report: dict[str, Any], where: str, kinds: Sequence[str]) -> None:
    """What the timeline says of these is what people read there."""
    text = _plain(report[where])
    said = [
        _plain(entry["words"]) for entry in report["timeline"] if entry["event"]["type"] in kinds
    ]
    assert said
    assert [words for words in said if words not in text] == []


def _plain(text: str) -> str:
    return " ".join(text.replace("`", "'").split())


STORY = ("PlaybookMatched", "Diagnosed", "Chosen", "StepStarted", "StepFinished", "Verified")


def test_a_full_volume_is_healed_for_real(home: Path) -> None:
    report = drill(home, "SCENARIO-2")
    assert_in_order(report, *healing("evict"))
    chosen = events(report, "Chosen")[0]
    assert chosen["remedy"] == "evict-old-cache"
    assert "checks.old.old_bytes > 0 holds" in chosen["because"]
    findings = {one["check"]: one for one in events(report, "Diagnosed")[0]["findings"]}
    assert findings["free"]["evidence"]["value"] < 0.001
    assert findings["old"]["evidence"]["old_files"] == 24
    outcome = events(report, "StepFinished")[0]["outcome"]
    assert outcome["evidence"]["files"] == 24
    assert_told(report, "slack", (*STORY, "Closed"))
    assert_told(report, "pagerduty", ("Chosen", "StepFinished", "Verified"))
    assert "RESOLVED" in report["pagerduty"]
    channels = {event["channel"] for event in events(report, "NoticeSent")}
    assert channels == {"slack", "pagerduty"}
    seconds = report["seconds"]
    assert 0 < seconds["detect"] <= seconds["act"] <= seconds["heal"] < 60


def test_a_flood_is_answered_with_two_more_replicas_for_real(home: Path) -> None:
    report = drill(home, "INC-001")
    assert_in_order(report, *healing("scale", "scaled"))
    assert events(report, "Chosen")[0]["remedy"] == "queue-backed-up"
    findings = {one["check"]: one for one in events(report, "Diagnosed")[0]["findings"]}
    assert findings["p99"]["evidence"]["value"] > 5
    assert findings["queue"]["evidence"]["value"] > 10
    scaled, rolled = (event["outcome"]["evidence"] for event in events(report, "StepFinished")[:2])
    assert (scaled["previous"], scaled["replicas"]) == (2, 4)
    assert rolled["available"] == 4
    assert_told(report, "slack", (*STORY, "Closed"))
    assert report["pagerduty"] == ""  # a warning wakes nobody
    seconds = report["seconds"]
    assert 0 < seconds["detect"] <= seconds["act"] < seconds["heal"]


def test_a_filling_disk_is_given_room_and_no_more_than_that(home: Path) -> None:
    folder = home / "report"
    report = drill(home, "INC-007", "--report", str(folder))
    assert_in_order(report, *healing("purge", "rotate", "thin"))
    purged, rotated, thinned = (
        event["outcome"]["evidence"] for event in events(report, "StepFinished")
    )
    assert [name.rpartition("@")[2] for name in purged["gone"]] == ["rev1", "rev2"]
    assert rotated["gone"] == ["server.log.3", "server.log"]
    assert thinned["gone"] == ["checkpoint-100"]
    assert thinned["left"] == 2  # of six, three may go: one was enough
    assert purged["used_share"] > rotated["used_share"] > 0.8 > thinned["used_share"]
    values = [value for _, value in report["series"]]
    assert max(values) > 0.85
    assert values[-1] < 0.8
    picture = (folder / "INC-007.svg").read_text()
    for label in (">fault<", ">alert<", ">purge<", ">thin<", ">verified healed<"):
        assert label in picture
    assert 'href="INC-007.html"' in (folder / "index.html").read_text()


def test_an_overload_beyond_the_autoscalers_maximum_is_left_alone_and_told(home: Path) -> None:
    report = drill(home, "SCENARIO-4.at-maximum")
    findings = {one["check"]: one for one in events(report, "Diagnosed")[0]["findings"]}
    scaler = findings["scaler"]["evidence"]
    assert (scaler["max"], scaler["at_max"]) == (2, True)
    assert findings["queue"]["evidence"]["value"] > 5
    assert events(report, "StepStarted") == []
    (called,) = events(report, "Escalated")
    assert called["reason"].startswith("at-maximum: the autoscaler is at its maximum")
    assert_told(report, "slack", ("Chosen", "Escalated"))
    assert_told(report, "pagerduty", ("Escalated",))


def test_a_volume_that_comes_back_is_watched_and_not_touched(home: Path) -> None:
    report = drill(home, "SCENARIO-1")
    assert_in_order(report, *healing("watch"))
    findings = {one["check"]: one for one in events(report, "Diagnosed")[0]["findings"]}
    breaker = findings["breaker"]["evidence"]
    assert "Read-only file system" in breaker["last_error"]
    assert (breaker["state"], breaker["works"]) == ("open", False)
    assert findings["mount"]["evidence"]["read_only"] is True
    assert [step["action"] for step in events(report, "StepStarted")] == ["flow.wait-until"]
    assert report["seconds"]["heal"] < 60


def test_a_breaker_over_something_broken_is_not_reset_and_a_person_is_called(home: Path) -> None:
    report = drill(home, "SCENARIO-5.still-broken")
    (findings,) = (event["findings"] for event in events(report, "Diagnosed"))
    breaker = next(one for one in findings if one["check"] == "breaker")["evidence"]
    assert (breaker["dependency"], breaker["works"]) == ("critical", False)
    assert events(report, "StepStarted") == []
    (called,) = events(report, "Escalated")
    assert "never reset over something broken" in called["reason"]
    assert_told(report, "pagerduty", ("Escalated",))


@pytest.mark.parametrize(
    ("name", "steps"),
    [("SCENARIO-2", ["evict"]), ("INC-001", ["scale", "scaled"])],
)
def test_a_dry_run_says_step_by_step_what_it_would_do_and_touches_nothing(
    home: Path, name: str, steps: list[str]
) -> None:
    report = drill(home, name, "--dry-run")
    assert report["changes"] == []
    assert report["moved"] == []
    assert report["seconds"]["heal"] is None
    lines: list[dict[str, Any]] = [{"type": "PlaybookMatched", "mode": "dry-run"}]
    for step in steps:
        lines.append({"type": "StepStarted", "step": step, "dry_run": True})
        lines.append({"type": "StepFinished", "step": step, "result": "skipped"})
    assert_in_order(report, *lines, {"type": "Rehearsed"})
    assert len(report["steps"]) == len(steps)
    assert all(words.startswith("would ") for words in report["steps"])
    assert_told(report, "slack", ("StepFinished", "Rehearsed"))


def test_a_corrupt_model_comes_back_from_its_backup_for_real(home: Path) -> None:
    report = drill(home, "SCENARIO-6")
    assert_in_order(report, *healing("restore"))
    findings = {one["check"]: one for one in events(report, "Diagnosed")[0]["findings"]}
    assert "Checksum mismatch" in findings["model"]["evidence"]["first"]
    outcome = events(report, "StepFinished")[0]["outcome"]
    assert outcome["evidence"]["files"] == ["model-00001-of-00002.safetensors"]


def test_pods_that_start_by_themselves_are_only_watched_for_real(home: Path) -> None:
    report = drill(home, "INC-003.starting")
    assert events(report, "Chosen")[0]["remedy"] == "starting"
    assert_in_order(report, *healing("started"))
