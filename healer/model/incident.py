"""An incident is the fold of its entries, and nothing else: no field here is ever set by hand."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from healer.model.alert import Alert, AlertStatus, Fingerprint
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
    Entry,
    Escalated,
    IncidentId,
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
from healer.model.outcome import Decision, Finding, Outcome, Result
from healer.model.playbook import StepId
from healer.model.roster import Roster

MOST_CRASHES = 3
"""A step that healer dies of more often than this, in one round, is taken for the cause."""


class IncidentState(StrEnum):
    """Where an incident stands, in one word."""

    OPEN = "open"  # looking
    HELD = "held"  # a guard said: not now
    ASKING = "asking"  # waits for a person's approval
    RUNNING = "running"  # steps or their verification are under way
    WATCHING = "watching"  # verified healed, watched for a while
    ESCALATED = "escalated"  # a human has it
    REHEARSED = "rehearsed"  # said what would have been done; waits for the alert to resolve
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """How far one channel has been told. `unsure`: a crash or an error left it open whether."""

    through: int = 0
    ref: str = ""
    started: int = 0

    @property
    def unsure(self) -> bool:
        """Was a notice started whose end is not known?"""
        return self.started > self.through


@dataclass(frozen=True, slots=True, kw_only=True)
class Loan:
    """A step that was done, and what came of it, as long as nobody has taken it back."""

    started: StepStarted
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One round of diagnosis and cure. A failed verification ends it and begins the next.

    `waited`: it was held or asked about since it last looked, so what it saw may be over.
    `stepped_at`: when it last saw a step end, with its own eyes and not after a crash.
    `lent`: what earlier rounds did that healed for a while, the newest last.
    """

    number: int = 1
    looked_at: datetime | None = None
    findings: tuple[Finding, ...] | None = None
    chosen: Chosen | None = None
    before: Verified | None = None
    judged: Judged | None = None
    waited: bool = False
    approved: Approved | None = None
    approved_for: str | None = None
    done: Mapping[StepId, Outcome] = field(default_factory=dict[StepId, Outcome])
    started: tuple[StepStarted, ...] = ()
    in_flight: StepStarted | None = None
    last: Outcome | None = None
    stepped_at: datetime | None = None
    failures: Mapping[StepId, int] = field(default_factory=dict[StepId, int])
    undone: frozenset[StepId] = frozenset()
    lent: tuple[Loan, ...] = ()
    after: Verified | None = None

    @property
    def acted(self) -> bool:
        """Was any step begun in this round, and not as a rehearsal?"""
        return any(not started.dry_run for started in self.started)

    @property
    def touched(self) -> bool:
        """Was any effect on the world begun in this round? A round that only waits has none."""
        return any(started.touches and not started.dry_run for started in self.started)

    @property
    def loans(self) -> tuple[Loan, ...]:
        """All that was done and not taken back, in this round and before; the newest last."""
        latest = {one.step: one for one in self.started if one.undoes is None and not one.dry_run}
        mine = (
            Loan(started=started, outcome=self.done[step])
            for step, started in latest.items()
            if step in self.done and step not in self.undone
        )
        return (*self.lent, *mine)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """What is known of an incident after `seq` entries.

    `first_step_at`: when healer took it up in earnest; rehearsals do not count.
    `acted_at`: when each round first touched the world. Budgets and cooldowns count these, and
    rounds that only waited are none of them.
    """

    id: IncidentId
    seq: int = 0
    key: IncidentKey | None = None
    severity: str = ""
    opened_at: datetime | None = None
    changed_at: datetime | None = None
    alerts: Mapping[Fingerprint, Alert] = field(default_factory=Roster)
    matched: PlaybookMatched | None = None
    unmatched: NothingMatched | None = None
    run: Run = Run()
    failed_runs: int = 0
    first_step_at: datetime | None = None
    acted_at: tuple[datetime, ...] = ()
    healed: Verified | None = None
    healed_at: datetime | None = None
    denied: Denied | None = None
    escalated: Escalated | None = None
    rehearsed: Rehearsed | None = None
    closed: Closed | None = None
    archived: bool = False
    rang: Mapping[Alarm, datetime] = field(default_factory=dict[Alarm, datetime])
    told: Mapping[str, Telling] = field(default_factory=dict[str, Telling])

    @property
    def state(self) -> IncidentState:
        """Where it stands, derived from what happened; never stored."""
        if self.closed:
            return IncidentState.CLOSED
        if self.healed:
            return IncidentState.WATCHING
        if self.escalated:
            return IncidentState.ESCALATED
        if self.rehearsed:
            return IncidentState.REHEARSED
        if self.run.in_flight or self.run.done:
            return IncidentState.RUNNING
        match self.run.judged.decision if self.run.judged else Decision.ALLOW:
            case Decision.HOLD:
                return IncidentState.HELD
            case Decision.ASK if not self.run.approved:
                return IncidentState.ASKING
            case _:
                return IncidentState.OPEN

    @property
    def acting(self) -> bool:
        """Is a round of it under way that has touched the world, and whose end is not seen yet?"""
        return self.closed is None and self.run.after is None and self.run.touched

    @property
    def firing(self) -> tuple[Alert, ...]:
        """Its alerts that fire, as far as Alertmanager told us."""
        firing = AlertStatus.FIRING  # looked at for each alert of a storm
        return tuple([alert for alert in self.alerts.values() if alert.status is firing])

    def apply(self, entry: Entry) -> "Incident":
        """The incident after one more entry."""
        event = entry.event
        if isinstance(event, AlertsReceived):  # apart, for storms are made of these
            alerts = Roster.of(self.alerts).joined(event.alerts)
            return replace(self, seq=entry.seq, changed_at=entry.at, alerts=alerts)
        known = replace(self, seq=entry.seq, changed_at=entry.at)
        match event:
            case Opened() as event:
                return replace(known, key=event.key, severity=event.severity, opened_at=entry.at)
            case SeverityRaised() as event:
                return replace(known, severity=event.severity)
            case PlaybookMatched() as event:
                run = Run(
                    number=self.run.number, lent=self.run.lent
                )  # nothing concluded by another version counts
                return replace(known, matched=event, unmatched=None, run=run)
            case NothingMatched() as event:
                return replace(known, unmatched=event)
            case Diagnosed() as event:
                return replace(known, run=_looked(self.run, entry.at, event))
            case Chosen() as event:
                return replace(known, run=_chosen(self.run, event))
            case Judged() as event:
                waited = self.run.waited or event.decision is not Decision.ALLOW
                return replace(known, run=replace(self.run, judged=event, waited=waited))
            case StepStarted() as event:
                return _begun(known, entry.at, event)
            case StepFinished() as event:
                return replace(known, run=_finished(self.run, entry.at, event))
            case Verified() as event:
                return _verified(known, entry, event)
            case RunStarted() as event:
                lent = self.run.loans if self.healed else self.run.lent
                run = Run(number=event.number, lent=lent)
                return replace(known, run=run, healed=None, healed_at=None)
            case Escalated() as event:
                return replace(known, escalated=event)
            case Rehearsed() as event:
                return replace(known, rehearsed=event)
            case Approved() as event:
                remedy = self.run.chosen.remedy if self.run.chosen else None
                run = replace(self.run, approved=event, approved_for=remedy)
                return replace(known, run=run)
            case Denied() as event:
                return replace(known, denied=event)
            case AlarmRang() as event:
                return replace(known, rang={**self.rang, event.alarm: entry.at})
            case NoticeStarted() as event:
                return _told(known, event.channel, started=event.through)
            case NoticeSent() as event:
                return _told(known, event.channel, through=event.through, ref=event.ref)
            case NoticeDropped() as event:
                return _told(known, event.channel, through=event.through)
            case Closed() as event:
                return replace(known, closed=event)
            case Archived():
                return replace(known, archived=True)
            case Paused() | Resumed():
                return known
            case _:
                assert_never(event)


def fold(incident: IncidentId, entries: Iterable[Entry]) -> Incident:
    """The incident that these entries, in order, tell of."""
    result = Incident(id=incident)
    for entry in entries:
        result = result.apply(entry)
    return result


def _begun(incident: Incident, at: datetime, event: StepStarted) -> Incident:
    run = replace(incident.run, in_flight=event, started=(*incident.run.started, event))
    first = incident.first_step_at or (None if event.dry_run else at)
    acted_at = incident.acted_at
    if run.touched and not incident.run.touched:
        acted_at = (*acted_at, at)
    return replace(incident, run=run, first_step_at=first, acted_at=acted_at)


def _looked(run: Run, at: datetime, event: Diagnosed) -> Run:
    """A new look undoes what was concluded from the old one; a person's approval stays.

    Once steps were begun the branch stays as well: between two of them it is only asked whether
    the fault is still there.
    """
    looked = replace(run, looked_at=at, findings=event.findings, before=None, waited=False)
    return looked if run.started else replace(looked, chosen=None, judged=None)


def _chosen(run: Run, event: Chosen) -> Run:
    """An approval is for one branch: if another is chosen later, it must be asked for again."""
    keeps = run.approved is not None and run.approved_for == event.remedy
    return replace(run, chosen=event, approved=run.approved if keeps else None)


def _finished(run: Run, at: datetime, event: StepFinished) -> Run:
    begun, result = run.in_flight, event.outcome.result
    seen_at = run.stepped_at if event.settled else at
    run = replace(run, in_flight=None, last=event.outcome, stepped_at=seen_at)
    if event.settled and result is Result.FAILED and _crashes(run, event) <= MOST_CRASHES:
        return run  # it surely did not happen: a crash is a pause, not an attempt
    if begun is not None and begun.undoes is not None:
        return _taken_back(run, begun.undoes, event)
    if result in (Result.SUCCEEDED, Result.SKIPPED):
        return replace(run, done={**run.done, event.step: event.outcome})
    failed = run.failures.get(event.step, 0) + 1
    return replace(run, failures={**run.failures, event.step: failed})


def _taken_back(run: Run, step: StepId, event: StepFinished) -> Run:
    """The newest loan of that step is no more; where that failed, only if trying again is vain."""
    outcome = event.outcome
    vain = outcome.result is Result.ABANDONED or bool(outcome.evidence.get("final"))
    if outcome.result not in (Result.SUCCEEDED, Result.SKIPPED) and not vain:
        failed = run.failures.get(event.step, 0) + 1
        return replace(run, failures={**run.failures, event.step: failed})
    if step in run.done and step not in run.undone:
        return replace(run, undone=run.undone | {step})
    newest = max((n for n, one in enumerate(run.lent) if one.started.step == step), default=None)
    return replace(run, lent=tuple(one for n, one in enumerate(run.lent) if n != newest))


def _crashes(run: Run, event: StepFinished) -> int:
    """How often this very step was begun again beyond what its failures explain."""
    begun = sum(started.step == event.step for started in run.started)
    return begun - run.failures.get(event.step, 0)


def _verified(incident: Incident, entry: Entry, event: Verified) -> Incident:
    if event.moment is Moment.BEFORE:
        return replace(incident, run=replace(incident.run, before=event))
    if event.healed:
        run = replace(incident.run, after=event)
        return replace(incident, run=run, healed=event, healed_at=entry.at)
    run = replace(incident.run, after=event)
    return replace(
        incident, run=run, failed_runs=incident.failed_runs + 1, healed=None, healed_at=None
    )


def _told(
    incident: Incident,
    channel: str,
    *,
    started: int | None = None,
    through: int | None = None,
    ref: str | None = None,
) -> Incident:
    telling = incident.told.get(channel, Telling())
    telling = replace(
        telling,
        started=telling.started if started is None else started,
        through=telling.through if through is None else through,
        ref=ref or telling.ref,
    )
    return replace(incident, told={**incident.told, channel: telling})
