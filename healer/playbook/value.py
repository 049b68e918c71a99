"""What a condition may be given: bounded in depth and length, so that an answer comes soon."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

Value = (
    None
    | bool
    | int
    | float
    | str
    | datetime
    | timedelta
    | Sequence["Value"]
    | Mapping[str, "Value"]
)
"""JSON, and moments and spans of time."""

MAX_ITEMS = 1000
MAX_LEAVES = 5000
MAX_COPIED = 1500
"""Leaves of a list, where it will be filtered: that copies all it has kept for every item."""

MAX_NESTING = 16


def bounded(value: Value, *, leaves: int = MAX_LEAVES, depth: int = 0) -> Value:
    """A copy that CEL can hold: NaN is null, long lists are cut, what is too deep is null."""
    match value:
        case float() if math.isnan(value):
            return None
        case None | bool() | int() | float() | str() | datetime() | timedelta():
            return value
        case Mapping() if depth < MAX_NESTING:
            return {
                key: bounded(item, leaves=leaves, depth=depth + 1) for key, item in value.items()
            }
        case Sequence() if depth < MAX_NESTING:
            return _cut(value, leaves, depth)
        case _:
            return None


def step_into(value: Value, part: str) -> Value:
    """What stands in `value` under `part`; None where nothing does."""
    match value:
        case Mapping():
            return value.get(part)
        case str():
            return None
        case Sequence() if part.isdecimal() and int(part) < len(value):
            return value[int(part)]
        case _:
            return None


def _cut(items: Sequence[Value], leaves: int, depth: int) -> list[Value]:
    kept: list[Value] = []
    for item in items[:MAX_ITEMS]:
        plain = bounded(item, leaves=leaves, depth=depth + 1)
        leaves -= _leaves(plain)
        if leaves < 0:
            break
        kept.append(plain)
    return kept


def _leaves(value: Value) -> int:
    match value:
        case Mapping():
            return 1 + sum(map(_leaves, value.values()))
        case list():
            return 1 + sum(map(_leaves, value))
        case _:
            return 1
