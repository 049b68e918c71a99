"""Metrics folded from entries."""

import dataclasses

from healer.model.event import (
    CONTROL,
    Archived,
    Entry,
    Event,
    NoticeDropped,
    NoticeSent,
    Paused,
    Resumed,
)
from healer.model.incident import Incident, fold
from healer.model.outcome import Decision, Result, Verdict
from healer.notify.metrics import OTHER, EntryMetrics
from tests.fakes import story
from tests.fakes.story import START, Story


def see(metrics: EntryMetrics, tale: Story, *, since: int = 0) -> None:
    for entry in tale.entries[since:]:
        metrics.see(entry, fold(tale.id, tale.entries[: entry.seq]))


def value(metrics: EntryMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_an_incident_is_counted_where_it_stands_and_forgotten_when_archived() -> None:
    metrics, tale = EntryMetrics(), Story(story.opened(), story.started())
    see(metrics, tale)
    assert value(metrics, "healer_incidents", service="inference", state="open") == 0
    assert value(metrics, "healer_incidents", service="inference", state="running") == 1
    see(metrics, tale.then(story.finished(), story.closed(), Archived()), since=2)
    assert value(metrics, "healer_incidents", service="inference", state="running") == 0
    assert value(metrics, "healer_incidents", service="inference", state="closed") == 0


def test_after_a_restart_the_gauges_go_on_where_they_were() -> None:
    metrics, tale = EntryMetrics(), Story(story.opened(), story.started())
    metrics.restore([tale.incident], paused=["inference"])
    assert value(metrics, "healer_incidents", service="inference", state="running") == 1
    assert value(metrics, "healer_paused") == 1
    see(metrics, tale.then(story.escalated()), since=2)
    assert value(metrics, "healer_incidents", service="inference", state="running") == 0
    assert value(metrics, "healer_incidents", service="inference", state="escalated") == 1


def test_steps_are_counted_by_action_and_result() -> None:
    metrics = EntryMetrics()
    failed = story.finished(Result.FAILED)
    second = dataclasses.replace(story.finished(), attempt=2)
    see(metrics, Story(story.opened(), story.started(), failed, story.started(attempt=2), second))
    labels = {"action": "deployment.restart"}
    assert value(metrics, "healer_steps_total", result="failed", **labels) == 1
    assert value(metrics, "healer_steps_total", result="succeeded", **labels) == 1


def test_refusals_are_counted_by_guard_and_consent_is_not() -> None:
    metrics, tale = EntryMetrics(), Story(story.opened())
    verdicts = tuple(
        Verdict(guard=decision.value, decision=decision, reason="") for decision in Decision
    )
    see(metrics, tale.then(dataclasses.replace(story.asked(), verdicts=verdicts)))
    counted = {d: value(metrics, "healer_refusals_total", guard=d.value) for d in Decision}
    assert counted == {Decision.ALLOW: None, Decision.ASK: None, Decision.HOLD: 1, Decision.DENY: 1}


def test_notices_are_counted_by_channel_and_result() -> None:
    metrics = EntryMetrics()
    sent = NoticeSent(channel="slack", through=1, ref="r")
    dropped = NoticeDropped(channel="slack", through=1, reason="no")
    see(metrics, Story(story.opened(), sent, sent, dropped))
    assert value(metrics, "healer_notices_total", channel="slack", result="sent") == 2
    assert value(metrics, "healer_notices_total", channel="slack", result="dropped") == 1


def test_time_to_action_is_taken_once_and_not_from_a_rehearsal() -> None:
    metrics = EntryMetrics()
    steps = (story.started(dry_run=True), story.started(), story.finished(), story.started())
    see(metrics, Story(story.opened(), *steps))
    assert value(metrics, "healer_time_to_action_seconds_count") == 1
    assert value(metrics, "healer_time_to_action_seconds_sum") == 2


def test_time_to_heal_ends_at_the_verification_and_counts_only_what_stayed_healed() -> None:
    metrics = EntryMetrics()
    tale = Story(story.opened(), story.started(), story.finished(), story.verified())
    see(metrics, tale)
    assert value(metrics, "healer_time_to_heal_seconds_sum", playbook="circuit-breaker") is None
    see(metrics, tale.then(story.closed()), since=4)
    assert value(metrics, "healer_time_to_heal_seconds_sum", playbook="circuit-breaker") == 3


def test_pauses_are_counted_until_they_end() -> None:
    metrics, control = EntryMetrics(), Incident(id=CONTROL)
    events: list[Event] = [
        Paused(by="ann", reason="upgrade"),
        Paused(by="ann", reason="upgrade", service="inference"),
        Resumed(by="ann"),
    ]
    seen: list[float | None] = []
    for seq, event in enumerate(events, start=1):
        metrics.see(Entry(incident=CONTROL, seq=seq, at=START, event=event), control)
        seen.append(value(metrics, "healer_paused"))
    assert seen == [1, 2, 1]


def test_labels_do_not_grow_without_bound() -> None:
    metrics = EntryMetrics(limit=3)
    for number in range(10):
        guard = Verdict(guard=f"guard-{number}", decision=Decision.DENY, reason="")
        event = dataclasses.replace(story.asked(), verdicts=(guard,))
        see(metrics, Story(story.opened(), event, incident=f"inc-{number}"))
    assert value(metrics, "healer_refusals_total", guard="guard-2") == 1
    assert value(metrics, "healer_refusals_total", guard=OTHER) == 7
