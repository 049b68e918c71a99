"""What PagerDuty must be told of a notice: pure decisions, no calls.

- Someone is woken when the severity pages or healer escalates. What is over before PagerDuty heard
  of it wakes nobody.
- An acknowledgement silences PagerDuty, and a further trigger does not undo that. So an escalation
  after one opens an incident of its own, which does wake somebody.
- A page is left open where healer stops (cancelled, rehearsed) while alerts still fire.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from healer.model.event import (
    Chosen,
    Denied,
    Ending,
    Entry,
    Escalated,
    StepFinished,
    StepStarted,
    Verified,
)
from healer.model.incident import Incident
from healer.notify import words
from healer.notify.contract import Notice
from healer.notify.redact import plain

SUMMARY = 1024  # what Events v2 takes
NOTE = 8_000
_LINES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """Open it, or add to the open one."""

    key: str
    summary: str
    severity: str
    source: str
    details: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledge:
    """Healer has it: stop calling."""

    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolve:
    """It is over."""

    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotate:
    """Lines for the notes of the first of these keys that has an incident."""

    keys: tuple[str, ...]
    entries: tuple[Entry, ...]


Call = Trigger | Acknowledge | Resolve | Annotate


def plan(notice: Notice) -> list[Call]:
    """The calls, in order. The notes come last: they are the least of it."""
    incident = notice.incident
    if not _pages(notice) or (_over(incident) and not notice.ref and not notice.unsure):
        return []
    return [*_wake(notice), *_calm(notice), *_notes(notice)]


def main_key(incident: Incident) -> str:
    """The dedup key of the incident."""
    return str(incident.id)[:200]


def escalation_key(incident: Incident) -> str:
    """The dedup key of the escalation of an incident that was acknowledged before."""
    return f"{main_key(incident)}/escalated"


def note_pages(entries: tuple[Entry, ...], *, after: int = 0) -> Iterator[tuple[str, int]]:
    """The text of each note, and the number of the last entry in it."""
    held: list[str] = []
    through = 0
    for entry in entries:
        said = words.line(entry) if entry.seq > after else None
        if said is None:
            continue
        if held and sum(map(len, held)) + len(said) > NOTE:
            yield "\n".join(held), through
            held = []
        held.append(said)
        through = entry.seq
    if held:
        yield "\n".join(held), through


def _pages(notice: Notice) -> bool:
    return notice.incident.escalated is not None or _severity_pages(notice)


def _severity_pages(notice: Notice) -> bool:
    """By name: an incident carries what the service calls it (P1), not the label of the alert."""
    known = notice.service.severities.values()
    return any(one.pages for one in known if one.name == notice.incident.severity)


def _over(incident: Incident) -> bool:
    if incident.closed is None:
        return False
    left = incident.closed.ending in (Ending.CANCELLED, Ending.REHEARSED)
    return not (left and incident.firing)


def _wake(notice: Notice) -> Iterator[Call]:
    incident = notice.incident
    if _over(incident):
        return
    called = any(isinstance(entry.event, Escalated) for entry in notice.entries)
    if not notice.ref or (called and not _acknowledged(notice)):
        yield _trigger(notice, main_key(incident))
    if called and _acknowledged(notice):
        yield _trigger(notice, escalation_key(incident))


def _calm(notice: Notice) -> Iterator[Call]:
    incident = notice.incident
    if _over(incident):
        yield Resolve(key=main_key(incident))
        if incident.escalated is not None:  # harmless where there was no second one
            yield Resolve(key=escalation_key(incident))
    elif incident.escalated is None and incident.closed is None and _first_step_in(notice):
        yield Acknowledge(key=main_key(incident))


def _notes(notice: Notice) -> Iterator[Call]:
    worth = (Chosen, Denied, Escalated, StepFinished, Verified)
    entries = tuple(entry for entry in notice.entries if isinstance(entry.event, worth))
    if entries:
        keys = _note_keys(notice)
        yield Annotate(keys=keys, entries=entries)


def _note_keys(notice: Notice) -> tuple[str, ...]:
    """Where a person reads now: in the escalation, if it has an incident of its own."""
    incident = notice.incident
    if incident.escalated is None:
        return (main_key(incident),)
    fresh = [call.key for call in _wake(notice) if isinstance(call, Trigger)]
    return (fresh[-1],) if fresh else (escalation_key(incident), main_key(incident))


def _acknowledged(notice: Notice) -> bool:
    """May an earlier notice have acknowledged it? It did so if it told of the first step."""
    acted = notice.incident.first_step_at is not None
    return acted and _severity_pages(notice) and not _first_step_in(notice)


def _first_step_in(notice: Notice) -> bool:
    first = notice.incident.first_step_at
    return any(
        isinstance(entry.event, StepStarted) and not entry.event.dry_run and entry.at == first
        for entry in notice.entries
    )


def _trigger(notice: Notice, key: str) -> Trigger:
    incident = notice.incident
    target = str(incident.key.target) if incident.key else notice.service.name
    return Trigger(
        key=key,
        summary=plain(words.headline(incident), SUMMARY),
        severity=_severity(incident.severity),
        source=plain(target, 250),
        details=_details(notice),
    )


def _details(notice: Notice) -> dict[str, str]:
    lines = [said for entry in notice.entries if (said := words.line(entry)) is not None]
    annotations = (
        alert.annotations.get("summary", "") for alert in notice.incident.alerts.values()
    )
    runbook = notice.playbook.runbook if notice.playbook else ""
    details = {
        "incident": plain(notice.incident.id, 200),
        "status": words.status(notice.incident),
        "alert": plain(next(annotations, ""), 500),
        "runbook": plain(runbook, 500),
        "timeline": "\n".join(lines[-_LINES:]),
    }
    return {name: text for name, text in details.items() if text}


def _severity(name: str) -> str:
    """PagerDuty knows four. What pages and has another name is an error."""
    match name.lower():
        case "critical" | "warning" | "info" | "error" as same:
            return same
        case "page" | "p0" | "p1" | "sev1" | "emergency":
            return "critical"
        case _:
            return "error"
