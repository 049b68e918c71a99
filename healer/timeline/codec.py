"""Events as lines of JSON, and back. A line says its version and type; old ones stay readable.

Within Json evidence a sequence comes back as a list; everything else comes back as it was.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from types import MappingProxyType
from typing import cast

import orjson

from healer.errors import TimelineError
from healer.model import event as model
from healer.model.event import Event
from healer.timeline.shape import Shape, shape

Fields = Mapping[str, object]
Upgrade = Callable[[str, Fields], tuple[str, Fields]]

UPGRADES: tuple[Upgrade, ...] = ()
"""The n-th makes (type, fields) of version n + 1 out of those of version n. Only ever add."""

KINDS: Mapping[str, type[Event]] = MappingProxyType(
    {
        "opened": model.Opened,
        "severity_raised": model.SeverityRaised,
        "alerts_received": model.AlertsReceived,
        "playbook_matched": model.PlaybookMatched,
        "nothing_matched": model.NothingMatched,
        "diagnosed": model.Diagnosed,
        "chosen": model.Chosen,
        "judged": model.Judged,
        "step_started": model.StepStarted,
        "step_finished": model.StepFinished,
        "verified": model.Verified,
        "run_started": model.RunStarted,
        "escalated": model.Escalated,
        "approved": model.Approved,
        "denied": model.Denied,
        "alarm_rang": model.AlarmRang,
        "notice_started": model.NoticeStarted,
        "notice_sent": model.NoticeSent,
        "notice_dropped": model.NoticeDropped,
        "closed": model.Closed,
        "archived": model.Archived,
        "paused": model.Paused,
        "resumed": model.Resumed,
        "rehearsed": model.Rehearsed,
    }
)
"""Words on disk. They never change, whatever becomes of the names of the classes."""

_SHAPES: Mapping[str, Shape] = MappingProxyType({word: shape(kind) for word, kind in KINDS.items()})
_WORDS: Mapping[type[Event], str] = MappingProxyType({kind: word for word, kind in KINDS.items()})


def encode(event: Event) -> bytes:
    """The line of an event; TimelineError where it holds what a line cannot."""
    word = _WORDS[type(event)]
    plain = _SHAPES[word].plain
    try:
        line = {"v": len(UPGRADES) + 1, "type": word, "event": plain(event) if plain else event}
        return orjson.dumps(line, default=_other, option=orjson.OPT_PASSTHROUGH_DATETIME)
    except TypeError:
        return _encode_slowly(event, word)
    except (ValueError, RecursionError) as error:
        message = f"{type(event).__name__} cannot be recorded: {error}"
        raise TimelineError(message) from error


def decode(line: bytes, *, upgrades: Sequence[Upgrade] = UPGRADES) -> Event:
    """The event of a line of this version or an older one; TimelineError says what is wrong."""
    version, word, given = _opened(line)
    if version > len(upgrades) + 1:
        message = (
            f"a line has version {version}, this healer reads up to {len(upgrades) + 1}:"
            " it was written by a newer one"
        )
        raise TimelineError(message)
    try:
        for upgrade in upgrades[version - 1 :]:
            word, given = upgrade(word, given)
        found = _SHAPES.get(word)
        if found is None:
            message = f"a line has the type {word!r}, which this healer does not know"
            raise TimelineError(message)
        return cast("Event", found.load(given))
    except (ValueError, RecursionError, OverflowError) as error:
        message = f"a line of type {word!r} cannot be read: {error}"
        raise TimelineError(message) from error


def _opened(text: bytes) -> tuple[int, str, Fields]:
    try:
        found: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = _loaded_slowly(text)
    if isinstance(found, dict):
        line = cast("dict[str, object]", found)
        version, word, given = line.get("v"), line.get("type"), line.get("event")
        if type(version) is int and version > 0 and isinstance(word, str):
            return version, word, cast("Fields", given)
    message = 'a line is not {"v": version, "type": word, "event": {...}}'
    raise TimelineError(message)


def _other(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()  # orjson would round an offset to whole minutes
    if isinstance(value, Mapping):
        return dict(cast("Mapping[object, object]", value))
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    message = f"{type(value).__name__} is no JSON"
    raise TypeError(message)


def _encode_slowly(event: Event, word: str) -> bytes:
    """For lone surrogates, which are no UTF-8: standard JSON escapes them. All else is refused."""
    plain = _SHAPES[word].plain
    try:
        line = {"v": len(UPGRADES) + 1, "type": word, "event": plain(event) if plain else event}
        encoded = json.dumps(line, default=_other, separators=(",", ":")).encode("ascii")
        if decode(encoded) == event:
            return encoded
        reason = "it would not come back as it is"
    except (TypeError, ValueError, RecursionError, TimelineError) as error:
        reason = str(error)
    message = f"{type(event).__name__} cannot be recorded: {reason}"
    raise TimelineError(message)


def _loaded_slowly(line: bytes) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        message = f"a line is no JSON that can be read: {error}"
        raise TimelineError(message) from error
