"""What people read."""

import dataclasses
import typing
import unicodedata
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.model.event import (
    Alarm,
    AlarmRang,
    AlertsReceived,
    Approved,
    Archived,
    Chosen,
    Denied,
    Diagnosed,
    Ending,
    Entry,
    Event,
    IncidentId,
    Judged,
    Moment,
    NothingMatched,
    NoticeDropped,
    NoticeSent,
    NoticeStarted,
    Paused,
    PlaybookMatched,
    Rehearsed,
    Resumed,
    RunStarted,
    SeverityRaised,
    StepFinished,
    StepStarted,
    Verified,
)
from healer.model.outcome import Decision, Finding, Outcome, Result, Verdict
from healer.model.playbook import Mode
from healer.notify import words
from tests.fakes import story
from tests.fakes.story import RESTART, START, Story

UNTIL = START + timedelta(minutes=8)
BUDGET = Verdict(guard="budget", decision=Decision.HOLD, reason="2 of 2 used", until=UNTIL)
FINE = Verdict(guard="replicas", decision=Decision.ALLOW, reason="3 of 3 ready")
SEEN = (
    Finding(check="breaker", holds=True, summary="state is open"),
    Finding(check="queue", holds=False, summary="Prometheus is away", known=False),
)
CUT = Outcome(result=Result.ABANDONED, summary="the API server does not say")

LINES: list[tuple[Event, str | None]] = [
    (story.opened(), "Opened: inference, production/deployment/inference, severity critical."),
    (
        AlertsReceived(
            alerts=(story.alert("A"), story.alert("B", firing=False)),
            group=story.received().group,
            truncated=4,
        ),
        "Alerts: firing A, resolved B; 4 more were left out.",
    ),
    (SeverityRaised(severity="P1"), "Severity raised to P1."),
    (
        PlaybookMatched(playbook="breaker", digest="d", mode=Mode.AUTO, because="it fits"),
        "Playbook breaker applies (mode auto): it fits.",
    ),
    (NothingMatched(reason="no label fits"), "No playbook applies: no label fits."),
    (
        Diagnosed(findings=SEEN),
        "Looked: breaker state is open; queue not known: Prometheus is away",
    ),
    (story.chosen(), "Chosen: restart: the breaker is open."),
    (Chosen(remedy=None, because="nothing holds"), "No remedy chosen: nothing holds."),
    (
        Judged(step=None, decision=Decision.HOLD, verdicts=(FINE, BUDGET)),
        "Waiting before the run: budget: 2 of 2 used (until 03:20:00Z)",
    ),
    (
        Judged(step=RESTART, decision=Decision.DENY, verdicts=(BUDGET,)),
        "Refused step restart: budget: 2 of 2 used (until 03:20:00Z)",
    ),
    (story.asked(), "Asking for approval of the run: mode: the playbook asks a person"),
    (Judged(step=None, decision=Decision.ALLOW, verdicts=(FINE,)), None),
    (
        story.started(attempt=2),
        "Doing restart: deployment.restart (reason=breaker open), attempt 2.",
    ),
    (
        story.started(dry_run=True),
        "Rehearsing restart: deployment.restart (reason=breaker open).",
    ),
    (
        StepStarted(step=RESTART, action="scale", attempt=1, params={}, undoes=RESTART),
        "Undoing restart: scale.",
    ),
    (story.finished(), "restart done: 3 pods restarted."),
    (
        StepFinished(step=RESTART, attempt=1, outcome=CUT, settled=True),
        (
            "restart was cut off, and nobody knows what came of it: the API server does not "
            "say. Found out after healer had been restarted."
        ),
    ),
    (story.verified(), "Healed, verified: error rate 0.1%."),
    (story.verified(healed=False), "Not healed: error rate 0.1%."),
    (
        Verified(moment=Moment.BEFORE, healed=True, reason="closed again"),
        "The fault is gone already: closed again.",
    ),
    (
        Verified(moment=Moment.BEFORE, healed=False, reason="open"),
        "The fault is still there: open.",
    ),
    (RunStarted(number=2, reason="it came back"), "Round 2 begins: it came back."),
    (story.escalated(), "Escalated to team-inference: two rounds did not heal."),
    (
        Rehearsed(reason="dry-run, would have run restart"),
        "Rehearsed: dry-run, would have run restart.",
    ),
    (Approved(by="ann"), "Approved by ann."),
    (Denied(by="ann", reason="not now"), "Denied by ann: not now."),
    (AlarmRang(alarm=Alarm.UPDATE), "Still going on, and not forgotten."),
    (
        NoticeDropped(channel="slack", through=3, reason="no such channel"),
        "slack could not be told and will not be: no such channel.",
    ),
    (story.closed(), "Closed, healed: stayed healed for 10 minutes."),
    (Paused(by="ann", reason="upgrade"), "Paused by ann for all services: upgrade."),
    (Resumed(by="ann", service="inference"), "Resumed by ann for inference."),
    (NoticeStarted(channel="slack", through=1), None),
    (NoticeSent(channel="slack", through=1, ref="r"), None),
    (Archived(), None),
]


@pytest.mark.parametrize(("event", "said"), LINES)
def test_every_event_has_its_words(event: Event, said: str | None) -> None:
    assert words.say(event) == said


def test_no_event_is_left_out_of_these_examples() -> None:
    assert {type(event) for event, _ in LINES} == set(typing.get_args(Event))


def test_a_line_begins_with_its_time_in_utc() -> None:
    east = datetime(2026, 3, 4, 5, 0, tzinfo=timezone(timedelta(hours=2)))
    entry = Entry(incident=IncidentId("i"), seq=1, at=east, event=Approved(by="ann"))
    assert words.line(entry) == "03:00:00Z  Approved by ann."


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([], "looking for the cause"),
        ([NothingMatched(reason="none fits")], "no playbook applies: none fits."),
        ([story.chosen()], "about to apply restart"),
        (
            [Judged(step=None, decision=Decision.HOLD, verdicts=(BUDGET,))],
            "waits: budget: 2 of 2 used (until 03:20:00Z)",
        ),
        ([story.chosen(), story.asked()], "waits for a person to approve restart: mode: the"),
        ([story.started(attempt=2)], "doing restart (deployment.restart, attempt 2)"),
        ([story.started(), story.finished()], "checking whether the fault is gone"),
        ([story.started(), story.finished(), story.verified()], "healed at 03:12:05Z"),
        ([story.escalated()], "team-inference has it: two rounds did not heal."),
        ([story.closed(Ending.CANCELLED)], "closed, cancelled, an operator took over: stayed"),
    ],
)
def test_the_headline_says_what_where_since_when_and_who_has_it(
    events: list[Event], said: str
) -> None:
    headline = words.headline(Story(story.opened(), story.received(), *events).incident)
    assert headline.startswith(
        "[critical] CircuitBreakerOpen on inference (production/deployment/inference), "
        "since 2026-03-04 03:12Z — "
    )
    assert said in headline


def test_parameters_that_are_secret_are_not_shown() -> None:
    event = StepStarted(
        step=RESTART,
        action="http.call",
        attempt=1,
        params={
            "api_key": "hunter2",
            "url": "https://ann:hunter2@host/x?token=hunter2",
            "header": "Authorization: Bearer hunter2hunter2",
            "say": "password=hunter2; xoxb-hunter2-hunter2",
        },
    )
    said = words.say(event)
    assert said is not None
    assert "hunter2" not in said
    assert "https://***@host/x" in said


def test_annotations_of_alerts_are_not_in_the_lines() -> None:
    said = words.say(story.received(story.alert(summary="the customer is called Example")))
    assert said == "Alerts: firing CircuitBreakerOpen."


HOSTILE = st.text(max_size=300) | st.sampled_from(
    ["<!channel>", "a\r\nb", "\x1b[2J", "\u202eabc", "\u2028", "\x85", "x" * 50_000, ""]
)


@given(text=HOSTILE, other=HOSTILE)
def test_whatever_the_text_a_line_is_one_printable_line_of_bounded_length(
    text: str, other: str
) -> None:
    verdict = Verdict(guard=text, decision=Decision.DENY, reason=other)
    finding = Finding(check=text, holds=True, summary=other)
    events: list[Event] = [
        story.opened(severity=text),
        story.received(story.alert(text), story.alert(other, firing=False)),
        Chosen(remedy=text, because=other),
        Diagnosed(findings=(finding,) * 20),
        Judged(step=None, decision=Decision.DENY, verdicts=(verdict,) * 20),
        StepStarted(step=RESTART, action=text, attempt=1, params={text: other}),
        StepFinished(step=RESTART, attempt=1, outcome=Outcome(result=Result.FAILED, summary=text)),
        Denied(by=text, reason=other),
    ]
    entry = Entry(incident=IncidentId("i"), seq=1, at=START, event=events[0])
    for event in events:
        line = words.line(dataclasses.replace(entry, event=event))
        assert line is not None
        _is_plain(line, words.LINE + 20)
    _is_plain(words.headline(Story(*events).incident), 1300)


def _is_plain(line: str, limit: int) -> None:
    assert len(line) <= limit
    assert line.splitlines() == [line]
    bad = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert not [character for character in line if unicodedata.category(character) in bad]


def test_whoever_reads_the_whole_timeline_is_told_what_is_no_news_too() -> None:
    allowed = Judged(
        step=None,
        decision=Decision.ALLOW,
        verdicts=(Verdict(guard="budget", decision=Decision.ALLOW, reason="within the budget"),),
    )
    assert words.say(allowed) is None
    assert words.detail(allowed) == "Allowed the run: budget: within the budget"
    sent = NoticeSent(channel="slack", through=8, ref="C1:1")
    assert words.detail(sent) == "slack knows all up to line 8."
    resumed = Resumed(by="ada")
    assert words.detail(resumed) == words.say(resumed)
