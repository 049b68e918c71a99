"""The body as Alertmanager really writes it, read and checked in one pass; all else is `payload`'s.

What passes here means the same to `payload`, which knows the rare and the wrong, and says where.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec

from healer.model.alert import Alert, AlertGroup, AlertStatus, Fingerprint, GroupKey

_ZERO = "0001-01-01T"
"""How Go's zero time begins: no time."""


class _Alert(msgspec.Struct, gc=False, rename="camel", forbid_unknown_fields=True):
    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    starts_at: str
    fingerprint: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
    annotations: dict[str, str] | None = None
    ends_at: str | None = None
    generator_url: str = msgspec.field(default="", name="generatorURL")


class Body(msgspec.Struct, gc=False, rename="camel", forbid_unknown_fields=True):
    """All that Alertmanager sends, so that nothing is passed over unread."""

    version: Literal["4"]
    group_key: str
    receiver: str
    alerts: list[_Alert]
    truncated_alerts: Annotated[int, msgspec.Meta(ge=0, le=2**53)] | None = None
    status: str = ""
    group_labels: dict[str, str] | None = None
    common_labels: dict[str, str] | None = None
    common_annotations: dict[str, str] | None = None
    external_url: str = msgspec.field(default="", name="externalURL")


_DECODER = msgspec.json.Decoder(Body)


def read(body: bytes, *, alerts: int, name: int, text: int) -> Body | None:
    """The body, if it is one of the plain kind within these bounds; None says nothing of it."""
    try:
        found = _DECODER.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None
    names, starts, ends = _words(found.alerts)
    usable = (
        len(found.alerts) <= alerts
        and all(map(str.isidentifier, names))
        and max(map(len, names), default=0) <= name
        and _are_times(starts, ends)
        and (len(body) <= text or not any(len(one) > text for one in _texts(found)))
    )
    return found if usable else None


def group(found: Body) -> AlertGroup:
    """What it says; alerts that share a fingerprint collapse to the last of them."""
    alerts = {one.fingerprint: _alert(one) for one in found.alerts}
    return AlertGroup(
        key=GroupKey(found.group_key),
        receiver=found.receiver,
        alerts=tuple(alerts.values()),
        truncated=found.truncated_alerts or 0,
    )


def _alert(one: _Alert) -> Alert:
    ends_at = one.ends_at
    return Alert(
        fingerprint=Fingerprint(one.fingerprint),
        status=AlertStatus(one.status),
        labels=one.labels,
        annotations=one.annotations or {},
        starts_at=datetime.fromisoformat(one.starts_at),
        ends_at=None
        if ends_at is None or ends_at.startswith(_ZERO)
        else datetime.fromisoformat(ends_at),
        generator_url=one.generator_url,
    )


def _words(alerts: Iterable[_Alert]) -> tuple[set[str], set[str], set[str]]:
    """Names, starts and ends: many alerts share few of them, so each is looked at once."""
    names, starts, ends = set[str](), set[str](), set[str]()
    for one in alerts:
        names.update(one.labels)
        if one.annotations:
            names.update(one.annotations)
        starts.add(one.starts_at)
        if one.ends_at is not None:
            ends.add(one.ends_at)
    return names, starts, ends


def _are_times(starts: Iterable[str], ends: Iterable[str]) -> bool:
    """In UTC, and none is missing; other zones are rare enough to be left to `payload`."""
    times = [*starts, *(end for end in ends if not end.startswith(_ZERO))]
    try:
        return all(datetime.fromisoformat(time).tzinfo is UTC for time in times) and not any(
            start.startswith(_ZERO) for start in starts
        )
    except ValueError:
        return False


def _texts(found: Body) -> Iterable[str]:
    yield from (found.group_key, found.receiver)
    for one in found.alerts:
        yield one.generator_url
        yield from one.labels.values()
        yield from (one.annotations or {}).values()
