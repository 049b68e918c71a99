"""Everything that can happen to an incident: a closed union of past-tense facts.

Adding one makes the type checker list every place that must know of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

from healer.model.alert import Alert, GroupKey
from healer.model.outcome import Decision, Finding, Json, Outcome, Verdict
from healer.model.playbook import Mode, StepId
from healer.model.service import Target

IncidentId = NewType("IncidentId", str)


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentKey:
    """Alerts that lead to the same key join the same open incident. No playbook: the empty text."""

    service: str
    playbook: str
    target: Target

    def __str__(self) -> str:
        return f"{self.service}|{self.playbook}|{self.target}"


class Ending(StrEnum):
    """Why an incident was closed."""

    HEALED = "healed"  # by healer, verified and watched
    RESOLVED = "resolved"  # the fault went away by itself, or a human mended it
    REHEARSED = "rehearsed"  # observe or dry-run: said what would have been done
    CANCELLED = "cancelled"  # an operator took over


class Moment(StrEnum):
    """When a verification was made."""

    BEFORE = "before"
    AFTER = "after"


class Alarm(StrEnum):
    """Deadlines of an incident."""

    ESCALATE = "escalate"
    UPDATE = "update"
    WATCH = "watch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The first line of every incident."""

    key: IncidentKey
    severity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityRaised:
    """A worse alert has joined the incident. What resolves does not make it less severe again."""

    severity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsReceived:
    """A delivery, on disk before it was answered 200. `truncated`: alerts that were left out."""

    alerts: tuple[Alert, ...]
    group: GroupKey
    truncated: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybookMatched:
    """The playbook and the very version of it, by digest, that this incident follows."""

    playbook: str
    digest: str
    mode: Mode
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingMatched:
    """The alert belongs to a service of ours, but no playbook applies."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosed:
    """What the read-only checks saw."""

    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The branch taken, or None; and why."""

    remedy: str | None
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the guards said of the whole run (step None) or of one step."""

    step: StepId | None
    decision: Decision
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted:
    """On disk before the effect. `params` are final: nothing in them is relative any more.

    `touches`: its action may change something; one that waits does not.
    """

    step: StepId
    action: str
    attempt: int
    params: Mapping[str, Json]
    dry_run: bool = False
    undoes: StepId | None = None
    touches: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFinished:
    """On disk after the effect. `settled`: learnt from the world after a crash."""

    step: StepId
    attempt: int
    outcome: Outcome
    settled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """Whether the playbook's condition for "healed" holds, and what was seen."""

    moment: Moment
    healed: bool
    reason: str
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A new round after one that did not heal, or after the fault came back while watched."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalated:
    """A human is called. Healer acts no more on this incident, but goes on telling."""

    reason: str
    to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """Observe or dry-run: what would have been done was said. The alert may fire on."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """A person let a run go on that a guard asked about."""

    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """A person said no."""

    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRang:
    """A deadline passed."""

    alarm: Alarm


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeStarted:
    """On disk before a channel is told of all lines up to `through`."""

    channel: str
    through: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeSent:
    """The channel has it. `ref` is its own name for it (Slack's ts, a dedup key)."""

    channel: str
    through: int
    ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeDropped:
    """The channel refused it for good, and why."""

    channel: str
    through: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """The last decision. Only the end of a step that was under way and notices may follow."""

    ending: Ending
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """The last line of all: closed, and every channel knows. Recovery need not look at it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """An operator stopped all remediation, or that of one service. Kept in the incident CONTROL."""

    by: str
    reason: str
    service: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """The pause is over."""

    by: str
    service: str = ""


CONTROL = IncidentId("control")
"""The timeline of the daemon itself: pauses. It is never closed and never has a worker."""

Event = (
    Opened
    | AlertsReceived
    | SeverityRaised
    | PlaybookMatched
    | NothingMatched
    | Diagnosed
    | Chosen
    | Judged
    | StepStarted
    | StepFinished
    | Verified
    | RunStarted
    | Escalated
    | Rehearsed
    | Approved
    | Denied
    | AlarmRang
    | NoticeStarted
    | NoticeSent
    | NoticeDropped
    | Closed
    | Archived
    | Paused
    | Resumed
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A line that wants to be appended as number `after + 1` of its incident."""

    incident: IncidentId
    after: int
    at: datetime
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line of a timeline. `seq` counts from 1 without gaps; `position` orders all incidents."""

    incident: IncidentId
    seq: int
    at: datetime
    event: Event
    position: int = field(default=0, compare=False)
