"""Alertmanager's webhook body (version 4) becomes an AlertGroup.

Bodies as Alertmanager writes them are read by `plain`; here is the rest: what is rare, and what is
wrong, with the words that say where. A refusal is final for Alertmanager, so only what can never be
understood is refused. Too much of something (a huge value, too many alerts) is cut, and marked.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import cast

import orjson

from healer.intake import plain
from healer.model.alert import Alert, AlertGroup, AlertStatus, Fingerprint, GroupKey, Labels

MAX_ALERTS = 20_000
"""More alerts than this in one body are left out and counted as truncated."""

MAX_TEXT = 65_536
"""Longer values, in characters, are cut; the mark says how long they were."""

MAX_NAME = 1_024
"""Longer label names are refused: a name that is cut is another name."""

MAX_NODES = 500_000
"""More objects and lists than the densest useful body holds: each costs far more than it weighs."""

_STATUS = {status.value: status for status in AlertStatus}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SHOWN = 64


class PayloadError(ValueError):
    """A body that can never be parsed: where in it, and what is wrong there."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}" if where else problem)
        self.where = where
        self.problem = problem


def parse(body: bytes) -> AlertGroup:
    """The group in `body`; alerts that share a fingerprint collapse to the last of them."""
    found = _plain(body)
    return parse_by_hand(body) if found is None else plain.group(found)


def prove(body: bytes) -> int:
    """How many alerts are in `body`; PayloadError where `parse` would raise it."""
    found = _plain(body)
    return len(parse_by_hand(body).alerts if found is None else found.alerts)


def _plain(body: bytes) -> plain.Body | None:
    return plain.read(body, alerts=MAX_ALERTS, name=MAX_NAME, text=MAX_TEXT)


def parse_by_hand(body: bytes) -> AlertGroup:
    """The same for any body at all."""
    if body.count(b"{") + body.count(b"[") > MAX_NODES:
        raise PayloadError("", f"more than {MAX_NODES} objects and lists")
    try:
        document: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise PayloadError(where, f"not JSON: {error.msg}") from error
    if not isinstance(document, dict):
        raise PayloadError("", f"must be an object, not {_kind(document)}")
    fields = cast("dict[str, object]", document)
    version = fields.get("version")
    if version != "4":
        raise PayloadError("version", f'must be "4", not {_shown(version)}')
    rows = _rows(fields)
    alerts: dict[Fingerprint, Alert] = {}
    for number, row in enumerate(rows[:MAX_ALERTS]):
        alert = _alert(row, number)
        alerts[alert.fingerprint] = alert
    return AlertGroup(
        key=GroupKey(_text(fields, "groupKey", "groupKey")),
        receiver=_text(fields, "receiver", "receiver"),
        alerts=tuple(alerts.values()),
        truncated=_truncated(fields) + max(0, len(rows) - MAX_ALERTS),
    )


def _rows(fields: Mapping[str, object]) -> list[object]:
    rows = fields.get("alerts", ...)
    if isinstance(rows, list):
        return cast("list[object]", rows)
    raise PayloadError("alerts", _must_be("a list", rows))


def _truncated(fields: Mapping[str, object]) -> int:
    count = fields.get("truncatedAlerts")
    if count is None:
        return 0
    if type(count) is not int or count < 0:
        raise PayloadError("truncatedAlerts", f"must be a count, not {_shown(count)}")
    return count


def _alert(row: object, number: int) -> Alert:
    """The hot loop: `where` is put together only when something is wrong."""
    if not isinstance(row, dict):
        raise PayloadError(f"alerts[{number}]", _must_be("an object", row))
    fields = cast("dict[str, object]", row)
    try:
        status = fields.get("status", ...)
        known = _STATUS.get(status) if isinstance(status, str) else None
        if known is None:
            raise PayloadError("status", _must_be('"firing" or "resolved"', status))
        labels = fields.get("labels", ...)
        # From the labels as they came, before any cut: two series must not become one.
        fingerprint = _fingerprint(fields.get("fingerprint"), labels)
        annotations = fields.get("annotations")
        return Alert(
            fingerprint=fingerprint,
            status=known,
            labels=_labels(labels, "labels"),
            annotations={} if annotations is None else _labels(annotations, "annotations"),
            starts_at=_starts_at(fields),
            ends_at=_ends_at(fields),
            generator_url=_text(fields, "generatorURL", "generatorURL", default=""),
        )
    except PayloadError as error:
        raise PayloadError(f"alerts[{number}].{error.where}", error.problem) from None


def _fingerprint(value: object, labels: object) -> Fingerprint:
    if isinstance(value, str) and 0 < len(value) <= MAX_NAME:
        return Fingerprint(value)
    if value is None or value == "":
        canonical = orjson.dumps(None if labels is ... else labels, option=orjson.OPT_SORT_KEYS)
        return Fingerprint(blake2b(canonical, digest_size=8).hexdigest())
    raise PayloadError("fingerprint", _must_be(f"a text of 1 to {MAX_NAME} characters", value))


def _labels(value: object, where: str) -> Labels:
    if not isinstance(value, dict):
        raise PayloadError(where, _must_be("an object", value))
    pairs = cast("dict[str, object]", value)
    for name, content in pairs.items():
        if type(content) is not str:
            raise PayloadError(_at(where, name), _must_be("a text", content))
        if len(content) > MAX_TEXT:
            pairs[name] = _cut(content)
        if not name.isidentifier() or len(name) > MAX_NAME:
            _check_name(name, where)
    return cast("dict[str, str]", pairs)


def _check_name(name: str, where: str) -> None:
    if not name:
        raise PayloadError(where, "a name is empty")
    if len(name) > MAX_NAME:
        raise PayloadError(where, f"a name has {len(name)} characters, at most {MAX_NAME} may be")
    if _CONTROL.search(name):
        raise PayloadError(where, f"a name holds control characters: {_shown(name)}")


def _starts_at(fields: Mapping[str, object]) -> datetime:
    moment = _moment(fields.get("startsAt", ...), "startsAt")
    if moment is None:
        raise PayloadError("startsAt", "is the zero time")
    return moment


def _ends_at(fields: Mapping[str, object]) -> datetime | None:
    value = fields.get("endsAt")
    return None if value is None else _moment(value, "endsAt")


def _moment(value: object, where: str) -> datetime | None:
    """Aware, in UTC; digits beyond microseconds are dropped. Go's zero time means none."""
    if type(value) is not str:
        raise PayloadError(where, _must_be("a time", value))
    if value.startswith("0001-01-01T"):
        return None
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not UTC:
            if moment.tzinfo is None:
                raise PayloadError(where, f"a time without a zone: {_shown(value)}")
            moment = moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        if isinstance(error, PayloadError):
            raise
        raise PayloadError(where, f"not a time: {_shown(value)}") from None
    return moment


def _text(
    fields: Mapping[str, object], name: str, where: str, *, default: str | None = None
) -> str:
    value = fields.get(name, ... if default is None else default)
    if type(value) is not str:
        raise PayloadError(where, _must_be("a text", value))
    return value if len(value) <= MAX_TEXT else _cut(value)


def _cut(text: str) -> str:
    """The digest keeps long texts apart that begin alike: group keys and labels are identities."""
    digest = blake2b(text.encode(), digest_size=8).hexdigest()
    return f"{text[:MAX_TEXT]}… [cut: {len(text)} characters, digest {digest}]"


def _must_be(expected: str, value: object) -> str:
    return "is missing" if value is ... else f"must be {expected}, not {_shown(value)}"


def _at(where: str, name: str) -> str:
    return f"{where}.{name}" if name.isidentifier() and len(name) <= _SHOWN else where


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
        case _:
            return "an object"


def _shown(value: object) -> str:
    """Short enough for a log line; lists and objects are named, not shown."""
    if value is ...:
        return "missing"
    if isinstance(value, list | dict):
        return _kind(cast("object", value))
    text = orjson.dumps(value).decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
