"""An incident is the fold of its entries: total, and never confused by a prefix."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.model.alert import GroupKey
from healer.model.event import (
    Alarm,
    AlarmRang,
    AlertsReceived,
    Approved,
    Archived,
    Chosen,
    Closed,
    Diagnosed,
    Ending,
    Entry,
    Escalated,
    Event,
    IncidentId,
    Judged,
    Moment,
    NoticeSent,
    NoticeStarted,
    Opened,
    PlaybookMatched,
    RunStarted,
    StepFinished,
    StepStarted,
    Verified,
)
from healer.model.incident import MOST_CRASHES, Incident, IncidentState, fold
from healer.model.outcome import Decision, Outcome, Result, Verdict
from healer.model.playbook import Mode, StepId
from tests.fakes.clock import START
from tests.fakes.house import alert
from tests.guard.plan import KEY

ID = IncidentId("inc-1")
STEP = StepId("free")


def judged(decision: Decision, step: StepId | None = None) -> Judged:
    verdict = Verdict(guard="fake", decision=decision, reason="told to")
    return Judged(step=step, decision=decision, verdicts=(verdict,))


def finished(result: Result, *, settled: bool = False) -> StepFinished:
    outcome = Outcome(result=result, summary="so it was")
    return StepFinished(step=STEP, attempt=1, outcome=outcome, settled=settled)


STARTED = StepStarted(step=STEP, action="disk.free", attempt=1, params={})
EVENTS: tuple[Event, ...] = (
    Opened(key=KEY, severity="P1"),
    AlertsReceived(alerts=(alert(),), group=GroupKey("g")),
    AlertsReceived(alerts=(alert(resolved=True),), group=GroupKey("g")),
    PlaybookMatched(playbook="DISK", digest="0", mode=Mode.AUTO, because="so"),
    Diagnosed(findings=()),
    Chosen(remedy="make-room", because="so"),
    *(judged(decision) for decision in Decision),
    judged(Decision.ALLOW, STEP),
    STARTED,
    *(finished(result) for result in Result),
    finished(Result.FAILED, settled=True),
    Verified(moment=Moment.BEFORE, healed=False, reason="so"),
    Verified(moment=Moment.AFTER, healed=True, reason="so"),
    Verified(moment=Moment.AFTER, healed=False, reason="so"),
    RunStarted(number=2, reason="so"),
    Approved(by="ada"),
    AlarmRang(alarm=Alarm.UPDATE),
    NoticeStarted(channel="slack", through=3),
    NoticeSent(channel="slack", through=3, ref="r"),
    Escalated(reason="so"),
    Closed(ending=Ending.HEALED, reason="so"),
    Archived(),
)


def story(*events: Event) -> Incident:
    return fold(
        ID,
        [
            Entry(incident=ID, seq=number, at=START + timedelta(seconds=number), event=event)
            for number, event in enumerate(events, start=1)
        ],
    )


@given(st.lists(st.sampled_from(EVENTS), max_size=30))
def test_any_story_can_be_told_and_stands_somewhere(events: list[Event]) -> None:
    incident = story(*events)
    assert incident.seq == len(events)
    assert incident.state in IncidentState


@given(st.lists(st.sampled_from(EVENTS), max_size=20), st.integers(min_value=0, max_value=20))
def test_a_fold_can_be_broken_off_and_gone_on_with(events: list[Event], cut: int) -> None:
    entries = [
        Entry(incident=ID, seq=number, at=START, event=event)
        for number, event in enumerate(events, start=1)
    ]
    begun = fold(ID, entries[:cut])
    for entry in entries[cut:]:
        begun = begun.apply(entry)
    assert begun == fold(ID, entries)


@given(st.lists(st.sampled_from(EVENTS), max_size=30))
def test_what_is_closed_stays_closed(events: list[Event]) -> None:
    closed = Closed(ending=Ending.HEALED, reason="so")
    assert story(closed, *events).state is IncidentState.CLOSED


def test_a_rehearsal_spends_no_budget() -> None:
    rehearsed = StepStarted(step=STEP, action="disk.free", attempt=1, params={}, dry_run=True)
    assert story(rehearsed, STARTED).acted_at == (START + timedelta(seconds=2),)
    assert story(rehearsed).acted_at == ()


def test_a_round_that_only_waits_spends_no_budget_but_was_taken_up() -> None:
    waits = StepStarted(step=STEP, action="flow.wait", attempt=1, params={}, touches=False)
    waited = story(waits)
    assert waited.acted_at == ()
    assert waited.first_step_at == START + timedelta(seconds=1)
    assert story(waits, finished(Result.SUCCEEDED), STARTED).acted_at == (
        START + timedelta(seconds=3),
    )


def test_a_round_is_charged_once_however_many_steps_and_attempts_it_has() -> None:
    assert len(story(STARTED, finished(Result.FAILED), STARTED).acted_at) == 1
    again = RunStarted(number=2, reason="so")
    assert len(story(STARTED, finished(Result.FAILED), again, STARTED).acted_at) == 2


def test_a_new_look_forgets_what_was_concluded_from_the_old_one() -> None:
    looked = Diagnosed(findings=())
    run = story(looked, Chosen(remedy="a", because=""), judged(Decision.HOLD), looked).run
    assert (run.chosen, run.judged, run.before) == (None, None, None)


def test_an_approval_is_for_one_branch() -> None:
    asked = (Chosen(remedy="a", because=""), judged(Decision.ASK), Approved(by="ada"))
    same = story(*asked, Diagnosed(findings=()), Chosen(remedy="a", because=""))
    other = story(*asked, Diagnosed(findings=()), Chosen(remedy="b", because=""))
    assert same.run.approved
    assert not other.run.approved


@pytest.mark.parametrize(
    ("crashes", "failures"),
    [(1, 0), (MOST_CRASHES, 0), (MOST_CRASHES + 1, 1)],
    ids=["a crash is a pause", "so are some", "but what healer dies of every time is a failure"],
)
def test_crashes_within_a_step(crashes: int, failures: int) -> None:
    lives: list[Event] = [STARTED, finished(Result.FAILED, settled=True)] * crashes
    assert story(*lives).run.failures.get(STEP, 0) == failures
