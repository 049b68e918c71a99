"""Incidents, entries and playbooks as JSON. Times are ISO 8601 in UTC, an event says its type."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from healer.intake.contract import Words
from healer.kit.duration import format_duration
from healer.model.event import Entry, Event, Paused
from healer.model.incident import Incident
from healer.model.matcher import Matcher
from healer.model.outcome import Json
from healer.model.page import Page
from healer.model.playbook import Playbook
from healer.model.service import Target

Document = dict[str, Json]


def value(content: object) -> Json:
    """Anything of the model as JSON: dataclasses become objects, spans `5m`, targets texts."""
    match content:
        case Enum():
            return str(content.value)
        case None | bool() | int() | float() | str():
            return content
        case datetime() | timedelta() | Target() | Matcher():
            return _text(content)
        case Mapping() | Set() | Sequence():
            return _many(content)  # pyright: ignore[reportUnknownArgumentType] - any of them
        case _:
            return _record(content)


def _many(content: Mapping[object, object] | Set[object] | Sequence[object]) -> Json:
    match content:
        case Mapping():
            return {str(value(key)): value(content[key]) for key in content}
        case Set():
            return sorted((value(item) for item in content), key=str)
        case Sequence():
            return [value(item) for item in content]


def _text(content: datetime | timedelta | Target | Matcher) -> str:
    match content:
        case datetime():
            return moment(content)
        case timedelta():
            return format_duration(content)
        case _:
            return str(content)


def moment(content: datetime) -> str:
    """`2026-01-02T03:04:05.000006Z`."""
    return content.astimezone(UTC).isoformat().replace("+00:00", "Z")


def event(content: Event) -> Document:
    """Its fields, and its type by name."""
    return {"type": type(content).__name__, **_record(content)}


def entry(content: Entry, words: Words) -> Document:
    """One line of a timeline; `words` is null where people need not read it, `detail` never."""
    return {
        "incident": content.incident,
        "seq": content.seq,
        "at": moment(content.at),
        "event": event(content.event),
        "words": words.say(content.event),
        "detail": words.detail(content.event),
    }


def summary(content: Incident, words: Words) -> Document:
    """What a list shows."""
    key = content.key
    return {
        "id": content.id,
        "state": content.state.value,
        "headline": words.headline(content),
        "service": key.service if key else "",
        "playbook": key.playbook if key else "",
        "target": str(key.target) if key else "",
        "severity": content.severity,
        "opened_at": value(content.opened_at),
        "changed_at": value(content.changed_at),
        "alerts": len(content.alerts),
        "firing": len(content.firing),
        "ending": content.closed.ending.value if content.closed else None,
        "seq": content.seq,
    }


def incident(content: Incident, words: Words) -> Document:
    """Everything known of it, as after its last entry."""
    known = {"id", "key", "seq", "alerts", "opened_at", "changed_at", "severity"}
    rest = {name: item for name, item in _record(content).items() if name not in known}
    alerts = [value(alert) for alert in content.alerts.values()]
    return {**summary(content, words), "alerts": alerts, **rest}


def page(content: Page, words: Words) -> Document:
    """A list, and the cursor of the next; null at the end."""
    cursor = None if content.cursor is None else str(content.cursor)
    return {"incidents": [summary(one, words) for one in content.incidents], "cursor": cursor}


def pause(content: Paused) -> Document:
    """A pause in force; the empty service means all of them."""
    return _record(content)


def playbook(content: Playbook) -> Document:
    """A playbook as it was checked; matchers as Alertmanager writes them."""
    return _record(content)


def _record(content: object) -> Document:
    if not is_dataclass(content):
        message = f"no JSON for {type(content).__name__}"
        raise TypeError(message)
    return {
        field.name.rstrip("_"): value(getattr(content, field.name)) for field in fields(content)
    }
