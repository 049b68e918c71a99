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
MAX_NESTING = 16


def bounded(value: Value, depth: int = 0) -> Value:
    """A copy that CEL can hold: NaN is null, long lists are cut, what is too deep is null."""
    match value:
        case float() if math.isnan(value):
            return None
        case None | bool() | int() | float() | str() | datetime() | timedelta():
            return value
        case Mapping() if depth < MAX_NESTING:
            return {key: bounded(item, depth + 1) for key, item in value.items()}
        case Sequence() if depth < MAX_NESTING:
            return _cut(value, depth)
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


def _cut(items: Sequence[Value], depth: int) -> list[Value]:
    """The first items: the package copies a list once for every item that `filter()` keeps."""
    kept: list[Value] = []
    leaves = 0
    for item in items[:MAX_ITEMS]:
        plain = bounded(item, depth + 1)
        leaves += _leaves(plain)
        if leaves > MAX_LEAVES:
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
