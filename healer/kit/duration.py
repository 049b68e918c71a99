"""Durations as Prometheus writes them: `90s`, `1h30m`, `7d`. `Duration` is the field for models."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS = {
    "y": timedelta(days=365),
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
_SHOWN = ("d", "h", "m", "s", "ms")
_PATTERN = "".join(rf"(?:([0-9]{{1,12}}){unit})?" for unit in _UNITS)
_RIGHT = "write a duration like 30s, 5m, 1h30m or 7d"
_LONGEST = 100 * _UNITS["y"]


def parse_duration(text: str) -> timedelta:
    """The span that `text` names; ValueError, saying what would be right, where it names none."""
    if text == "0":
        return timedelta()
    found = re.fullmatch(_PATTERN, text, re.ASCII)
    if not text or found is None:
        message = f"{text!r} is not a duration: {_RIGHT} (units once each, largest first)"
        raise ValueError(message)
    parts = zip(found.groups(), _UNITS.values(), strict=True)
    try:
        span = sum((int(count) * unit for count, unit in parts if count), timedelta())
    except OverflowError:
        span = timedelta.max
    if span > _LONGEST:
        message = f"{text!r} is longer than a hundred years"
        raise ValueError(message)
    return span


def format_duration(span: timedelta) -> str:
    """The shortest text that parses to `span`, of which less than a millisecond is left out."""
    if span < timedelta():
        return f"-{format_duration(-span)}"
    parts: list[str] = []
    for unit in _SHOWN:
        count, span = divmod(span, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def _read(value: object) -> object:
    match value:
        case str():
            return parse_duration(value)
        case timedelta():
            return value
        case _:
            message = f"{value!r} has no unit: {_RIGHT}"
            raise ValueError(message)


Duration = Annotated[
    timedelta,
    BeforeValidator(_read),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^(0|([0-9]+(y|w|d|h|m|s|ms))+)$",
            "examples": ["30s", "5m", "1h30m", "7d"],
        }
    ),
]
"""A field of a pydantic model that is written as a duration and read as a timedelta."""
