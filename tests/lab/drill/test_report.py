"""A report passes only for what its drill demands; every other ending has its sentence."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from healer.lab.drill.report import Report
from healer.lab.drill.scenario import Ending, Scenario

STRUCK = datetime(2026, 1, 1, tzinfo=UTC)

ALERTS: dict[str, Any] = {"type": "AlertsReceived", "alerts": [{"fingerprint": "one"}]}
CHOSEN: dict[str, Any] = {"type": "Chosen", "remedy": "evict"}
STARTED: dict[str, Any] = {"type": "StepStarted", "step": "one", "action": "kubernetes.evict"}
WAITED: dict[str, Any] = {"type": "StepStarted", "step": "pause", "action": "flow.wait"}
HEALED: dict[str, Any] = {"type": "Verified", "moment": "after", "healed": True}
ESCALATED: dict[str, Any] = {"type": "Escalated", "reason": "no branch fits"}
CLOSED: dict[str, Any] = {"type": "Closed", "ending": "resolved", "reason": "by itself"}
TOLD: dict[str, Any] = {"type": "NoticeSent", "channel": "slack"}


def report(
    *events: Mapping[str, Any],
    ending: Ending = Ending.HEALED,
    remedy: str = "evict",
    incidents: int = 1,
    apart: float = 0.3,
) -> Report:
    """Its entries come `apart` seconds after another."""
    return Report(
        scenario=Scenario(
            name="INC-009.twin",
            fault="flood",
            what="",
            remedy=remedy,
            ending=ending,
            expected="< 1 s",
            within=timedelta(seconds=1),
        ),
        struck_at=STRUCK,
        entries=[
            {
                "seq": number,
                "at": (STRUCK + timedelta(seconds=apart * number)).isoformat(),
                "event": event,
            }
            for number, event in enumerate(events)
        ],
        slack="",
        pagerduty="",
        dry_run=False,
        factor=60,
        incidents=incidents,
    )


def test_a_drill_is_named_like_its_playbook_and_the_twin_after_the_dot() -> None:
    assert report().scenario.playbook == "INC-009"


def test_a_heal_by_the_right_branch_in_time_passes() -> None:
    assert report(ALERTS, CHOSEN, TOLD, HEALED).faults == []


def test_a_heal_that_comes_too_late_by_another_branch_and_untold_does_not() -> None:
    found = report(ALERTS, CHOSEN, STARTED, STARTED, HEALED, remedy="grow", incidents=2)
    assert found.faults == [
        "2 incidents were opened, not 1",
        "the branch evict was chosen, not grow",
        "nobody was told",
        "it took longer than the < 1 s that the runbook expects",
    ]


def test_untouched_means_no_step_but_waiting_and_a_reason_that_people_were_told() -> None:
    left_alone = report(ALERTS, WAITED, ESCALATED, TOLD, remedy="", ending=Ending.UNTOUCHED)
    assert left_alone.faults == []
    by_itself = report(ALERTS, CLOSED, TOLD, remedy="", ending=Ending.UNTOUCHED)
    assert by_itself.faults == []
    found = report(ALERTS, CHOSEN, STARTED, TOLD, remedy="evict", ending=Ending.UNTOUCHED)
    assert found.faults == [
        "it was touched by one",
        "no reason was given for leaving it alone",
        "no person was called",
    ]


def test_handed_over_means_that_something_was_tried_and_a_person_called() -> None:
    tried = report(ALERTS, CHOSEN, STARTED, ESCALATED, TOLD, ending=Ending.HANDED_OVER)
    assert tried.faults == []
    found = report(ALERTS, CHOSEN, HEALED, TOLD, ending=Ending.HANDED_OVER)
    assert found.faults == ["nothing was tried", "it was called healed", "no person was called"]


def test_what_heals_when_the_drill_takes_the_fault_away_was_not_called_healed_too_soon() -> None:
    tried = report(ALERTS, CHOSEN, STARTED, ESCALATED, TOLD, HEALED, ending=Ending.HANDED_OVER)
    before = replace(tried, mended_at=STRUCK + timedelta(seconds=1.4))
    after = replace(tried, mended_at=STRUCK + timedelta(seconds=1.6))
    assert before.faults == []
    assert after.faults == ["it was called healed"]


def test_from_the_alert_to_the_first_step_is_a_time_of_its_own() -> None:
    assert report(ALERTS, CHOSEN, STARTED, apart=1).react == 2.0
    assert report(ALERTS).react is None


LATE = "its first step came 1.00 s after the alert, not < 1"


def test_the_first_step_must_come_within_a_second_of_the_alert() -> None:
    assert LATE not in report(ALERTS, STARTED, apart=0.99).faults
    assert LATE in report(ALERTS, STARTED, apart=1).faults
    patient = replace(report(ALERTS, STARTED, apart=1), reacts_within=1.5)
    assert not any("first step" in one for one in patient.faults)
    slow = replace(report(ALERTS, STARTED, apart=2), reacts_within=1.5)
    assert "its first step came 2.00 s after the alert, not < 1.5" in slow.faults


def test_a_guard_or_a_person_may_make_the_first_step_wait_but_not_a_later_one() -> None:
    for decision in ("hold", "ask"):
        held: dict[str, Any] = {"type": "Judged", "decision": decision, "verdicts": []}
        assert LATE in report(ALERTS, STARTED, held, apart=1).faults
        assert not any("first step" in one for one in report(ALERTS, held, STARTED, apart=1).faults)


def test_the_refusal_of_a_guard_is_a_reason_for_leaving_it_alone() -> None:
    verdict = {"guard": "approval", "decision": "ask", "reason": "needs a person"}
    asked = {"type": "Judged", "decision": "ask", "verdicts": [verdict]}

    assert report(ALERTS, CHOSEN, asked, TOLD, ending=Ending.UNTOUCHED).faults == []


def test_what_was_left_alone_must_be_as_it_was() -> None:
    left = report(ALERTS, CHOSEN, ESCALATED, TOLD, ending=Ending.UNTOUCHED)

    changed = replace(left, changes=["file cache/a is gone or changed"])

    assert left.faults == []
    assert changed.faults == ["file cache/a is gone or changed"]


def test_what_the_audit_log_says_was_written_is_a_fault_of_what_was_left_alone() -> None:
    left = report(ALERTS, CHOSEN, ESCALATED, TOLD, ending=Ending.UNTOUCHED)
    healed = report(ALERTS, CHOSEN, TOLD, HEALED)
    patched = ["patch deployments/web"]
    fault = "healer asked the API server to patch deployments/web"
    assert replace(left, written=patched).faults == [fault]
    assert replace(healed, written=patched).faults == []
    assert fault in replace(healed, written=patched, dry_run=True).faults


def test_of_what_is_left_alone_by_a_branch_a_person_must_be_called() -> None:
    branch = report(ALERTS, CHOSEN, CLOSED, TOLD, ending=Ending.UNTOUCHED)
    assert branch.faults == ["no person was called"]


def test_the_alerts_of_one_sick_workload_must_be_united_where_a_drill_demands_it() -> None:
    two: dict[str, Any] = {"type": "AlertsReceived", "alerts": [{"fingerprint": "two"}]}
    found = report(ALERTS, two, two, CHOSEN, TOLD, HEALED, apart=0.1)
    many = replace(found, scenario=replace(found.scenario, alerts=3))
    assert found.alerts == 2
    assert many.faults == ["its incident unites 2 alerts, not 3 or more"]


def test_a_drill_that_could_not_be_run_says_why_and_nothing_else() -> None:
    stopped = replace(report(), stopped="the fault did not show within 30 s")
    assert stopped.faults == ["it could not be run: the fault did not show within 30 s"]
    assert not stopped.passed
