"""Notices for tests: tell what happened, get what the engine would hand to a channel."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from healer.model.alert import Alert, AlertStatus, Fingerprint, GroupKey
from healer.model.event import (
    AlertsReceived,
    Chosen,
    Closed,
    Ending,
    Entry,
    Escalated,
    Event,
    IncidentId,
    IncidentKey,
    Judged,
    Moment,
    Opened,
    SeverityRaised,
    StepFinished,
    StepStarted,
    Verified,
)
from healer.model.incident import Incident, fold
from healer.model.outcome import Decision, Outcome, Result, Verdict
from healer.model.playbook import StepId
from healer.model.service import Service, Severity, Target
from healer.notify.contract import Notice

START = datetime(2026, 3, 4, 3, 12, tzinfo=UTC)
TARGET = Target(namespace="production", kind="deployment", name="inference")
ROUTING_KEY = "0123456789abcdef0123456789abcdef"
RESTART = StepId("restart")


def service(*, channel: str = "incidents", routing_key: str = ROUTING_KEY) -> Service:
    """A service whose `critical` pages and whose `warning` does not."""
    within = timedelta(minutes=15)
    return Service(
        name="inference",
        match=(),
        workload=TARGET,
        selector="app=inference",
        severities={
            "critical": Severity(name="critical", pages=True, respond_within=within),
            "warning": Severity(name="warning", pages=False, respond_within=within),
        },
        slack_channel=channel,
        pagerduty_key=routing_key,
    )


def alert(name: str = "CircuitBreakerOpen", *, firing: bool = True, summary: str = "") -> Alert:
    """An alert of the service."""
    return Alert(
        fingerprint=Fingerprint(name),
        status=AlertStatus.FIRING if firing else AlertStatus.RESOLVED,
        labels={"alertname": name},
        annotations={"summary": summary} if summary else {},
        starts_at=START,
    )


def opened(severity: str = "critical", playbook: str = "circuit-breaker") -> Opened:
    """The first line."""
    key = IncidentKey(service="inference", playbook=playbook, target=TARGET)
    return Opened(key=key, severity=severity)


def raised(severity: str = "critical") -> SeverityRaised:
    """A worse alert joins."""
    return SeverityRaised(severity=severity)


def received(*alerts: Alert) -> AlertsReceived:
    """A delivery."""
    return AlertsReceived(alerts=alerts or (alert(),), group=GroupKey("{}:{}"))


def chosen(because: str = "the breaker is open") -> Chosen:
    """A remedy."""
    return Chosen(remedy="restart", because=because)


def asked() -> Judged:
    """A guard asks for a person."""
    verdict = Verdict(guard="mode", decision=Decision.ASK, reason="the playbook asks a person")
    return Judged(step=None, decision=Decision.ASK, verdicts=(verdict,))


def started(*, dry_run: bool = False, attempt: int = 1) -> StepStarted:
    """The step begins."""
    params = {"reason": "breaker open"}
    return StepStarted(
        step=RESTART, action="deployment.restart", attempt=attempt, params=params, dry_run=dry_run
    )


def finished(result: Result = Result.SUCCEEDED, summary: str = "3 pods restarted") -> StepFinished:
    """The step ends."""
    return StepFinished(step=RESTART, attempt=1, outcome=Outcome(result=result, summary=summary))


def verified(*, healed: bool = True) -> Verified:
    """The fault is looked for afterwards."""
    return Verified(moment=Moment.AFTER, healed=healed, reason="error rate 0.1%")


def escalated(reason: str = "two rounds did not heal") -> Escalated:
    """A person is called."""
    return Escalated(reason=reason, to=("team-inference",))


def closed(ending: Ending = Ending.HEALED) -> Closed:
    """The end."""
    return Closed(ending=ending, reason="stayed healed for 10 minutes")


class Story:
    """What happened to one incident so far; `notice()` hands over what is not told yet."""

    def __init__(self, *events: Event, incident: str = "inc-1", at: Service | None = None) -> None:
        self.id = IncidentId(incident)
        self.service = at or service()
        self.entries: list[Entry] = []
        self.told = 0
        self.ref = ""
        self.then(*events)

    def then(self, *events: Event) -> "Story":
        """More happens, a second apart."""
        for event in events:
            seq = len(self.entries) + 1
            moment = START + timedelta(seconds=seq)
            entry = Entry(incident=self.id, seq=seq, at=moment, event=event, position=seq)
            self.entries.append(entry)
        return self

    @property
    def incident(self) -> Incident:
        """As it is now."""
        return fold(self.id, self.entries)

    def notice(self, *, unsure: bool = False) -> Notice:
        """What a channel has not been told."""
        new: Sequence[Entry] = self.entries[self.told :]
        return Notice(
            incident=self.incident,
            service=self.service,
            playbook=None,
            entries=tuple(new),
            ref=self.ref,
            unsure=unsure,
        )

    def sent(self, ref: str) -> None:
        """The channel has it."""
        self.told, self.ref = len(self.entries), ref
