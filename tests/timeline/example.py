"""One of every event, with every field set: what the frozen lines in samples/ must read as."""

from datetime import UTC, datetime, timedelta

from healer.model.alert import Alert, AlertStatus, Fingerprint, GroupKey
from healer.model.event import (
    Alarm,
    AlarmRang,
    AlertsReceived,
    Approved,
    Archived,
    Chosen,
    Closed,
    Denied,
    Diagnosed,
    Ending,
    Escalated,
    Event,
    IncidentKey,
    Judged,
    Moment,
    NothingMatched,
    NoticeDropped,
    NoticeSent,
    NoticeStarted,
    Opened,
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
from healer.model.playbook import Mode, StepId
from healer.model.service import Target

AT = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)


def alert(number: int = 0) -> Alert:
    return Alert(
        fingerprint=Fingerprint(f"{number:016x}"),
        status=AlertStatus.FIRING,
        labels={"alertname": "TimeToFirstTokenHigh", "pod": f"chat-{number}", "über": "größer"},
        annotations={"summary": "slow"},
        starts_at=AT,
        ends_at=AT + timedelta(hours=1),
        generator_url="http://prometheus:9090/graph",
    )


FINDING = Finding(
    check="queue",
    holds=True,
    summary="the queue is long",
    evidence={"depth": 40, "share": 0.75, "pods": ["a", "b"], "last": None, "sure": True},
    known=False,
)
KEY = IncidentKey(
    service="chat",
    playbook="scale-out",
    target=Target(namespace="production", kind="deployment", name="chat"),
)
EVENTS: tuple[Event, ...] = (
    Opened(key=KEY, severity="P1"),
    AlertsReceived(alerts=(alert(1), alert(2)), group=GroupKey('{}:{alertname="x"}'), truncated=3),
    SeverityRaised(severity="P1"),
    PlaybookMatched(
        playbook="scale-out", digest="sha256:00ff", mode=Mode.DRY_RUN, because="2 of 2 hold"
    ),
    NothingMatched(reason="no playbook names this alert"),
    Diagnosed(findings=(FINDING,)),
    Chosen(remedy="add a replica", because="queue.holds"),
    Judged(
        step=StepId("scale"),
        decision=Decision.HOLD,
        verdicts=(
            Verdict(guard="budget", decision=Decision.HOLD, reason="2 of 2 used", until=AT),
            Verdict(guard="quiet-hours", decision=Decision.ALLOW, reason="it is day"),
        ),
    ),
    StepStarted(
        step=StepId("scale"),
        action="scale",
        attempt=2,
        params={"replicas": 4, "wait": {"for": "Ready", "share": 0.5}},
        dry_run=True,
        undoes=StepId("shrink"),
    ),
    StepFinished(
        step=StepId("scale"),
        attempt=2,
        outcome=Outcome(
            result=Result.TIMED_OUT,
            summary="no node had room",
            evidence={"pending": ["chat-9"]},
            retry_after=timedelta(days=1, seconds=2, microseconds=3),
        ),
        settled=True,
    ),
    Verified(moment=Moment.AFTER, healed=True, reason="p95 fell", findings=(FINDING,)),
    RunStarted(number=2, reason="it came back"),
    Escalated(reason="two runs failed", to=("oncall", "platform")),
    Approved(by="ann"),
    Denied(by="bob", reason="a rollout is under way"),
    AlarmRang(alarm=Alarm.UPDATE),
    NoticeStarted(channel="slack", through=7),
    NoticeSent(channel="slack", through=7, ref="1767268800.000100"),
    NoticeDropped(channel="pagerduty", through=7, reason="400: no such routing key"),
    Closed(ending=Ending.HEALED, reason="it held for 30 minutes"),
    Archived(),
    Paused(by="ann", reason="maintenance", service="chat"),
    Resumed(by="ann", service="chat"),
    Rehearsed(reason="dry-run: would have run add a replica: scale"),
)
