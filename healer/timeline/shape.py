"""How values of the model look in JSON, made from their type hints. Knows no event by name.

`load` checks everything it reads and raises ValueError with the path of what is wrong. `plain` is
None where orjson writes the value exactly by itself, which is what keeps writing fast.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from math import isfinite
from types import GenericAlias, NoneType, UnionType
from typing import NewType, Union, cast, get_args, get_origin

from healer.model.outcome import Json

Load = Callable[[object], object]
Plain = Callable[[object], object]

_INTEGERS = range(-(2**63), 2**64)
"""What orjson reads back as the integer it wrote."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Both directions of one type."""

    load: Load
    plain: Plain | None = None


def shape(hint: object) -> Shape:
    """The shape of values of this type; TypeError for a type that no event may use."""
    if hint == Json:
        return Shape(load=_load_json, plain=_plain_json)
    if isinstance(hint, NewType):
        return shape(hint.__supertype__)
    if get_origin(hint) in (UnionType, Union):
        return _optional(hint)
    if isinstance(hint, GenericAlias):
        return _generic(hint)
    if not isinstance(hint, type):
        message = f"no shape for {hint!r}"
        raise TypeError(message)
    return _single(hint)


def _single(kind: type) -> Shape:
    if dataclasses.is_dataclass(kind):
        return _record(kind)
    if issubclass(kind, StrEnum):
        return Shape(load=kind)
    if kind is datetime:
        return Shape(load=_load_datetime)
    if kind is timedelta:
        return Shape(load=_load_timedelta, plain=_plain_timedelta)
    if kind in (str, int, bool):
        return Shape(load=partial(_load_exactly, kind))
    message = f"no shape for {kind!r}"
    raise TypeError(message)


def _load_exactly(kind: type, value: object) -> object:
    if type(value) is not kind:
        message = f"wanted {kind.__name__}, found {type(value).__name__}"
        raise ValueError(message)
    return value


def _load_texts(value: object) -> object:
    found = cast("dict[str, object]", _load_exactly(dict, value))
    for text in found.values():
        if type(text) is not str:
            _load_exactly(str, text)
    return found


def _load_datetime(value: object) -> object:
    return datetime.fromisoformat(cast("str", _load_exactly(str, value)))


def _plain_timedelta(value: object) -> object:
    span = cast("timedelta", value)
    return [span.days, span.seconds, span.microseconds]


def _load_timedelta(value: object) -> object:
    days, seconds, micros = (
        cast("int", _load_exactly(int, part))
        for part in cast("list[object]", _load_exactly(list, value))
    )
    return timedelta(days=days, seconds=seconds, microseconds=micros)


def _optional(hint: object) -> Shape:
    kinds = [kind for kind in get_args(hint) if kind is not NoneType]
    if len(kinds) != 1 or len(get_args(hint)) != 2:
        message = f"no shape for {hint!r}: only unions with None are written"
        raise TypeError(message)
    inner = shape(kinds[0])
    plain = inner.plain
    return Shape(
        load=lambda value: None if value is None else inner.load(value),
        plain=plain and (lambda value: None if value is None else plain(value)),
    )


def _generic(hint: GenericAlias) -> Shape:
    match get_origin(hint), get_args(hint):
        case origin, (kind, end) if origin is tuple and end is Ellipsis:
            return _tuple(shape(kind))
        case origin, (key, kind) if origin is Mapping and key is str and kind is str:
            return Shape(load=_load_texts)
        case origin, (key, kind) if origin is Mapping and key is str and kind == Json:
            return Shape(load=_load_object, plain=_plain_object)
        case _:
            message = f"no shape for {hint!r}"
            raise TypeError(message)


def _tuple(inner: Shape) -> Shape:
    def load(value: object) -> object:
        items = cast("list[object]", _load_exactly(list, value))
        return tuple([inner.load(item) for item in items])

    plain = inner.plain
    return Shape(
        load=load,
        plain=plain and (lambda value: [plain(item) for item in cast("tuple[object]", value)]),
    )


def _record(kind: type) -> Shape:
    hints = {field.name: field.type for field in dataclasses.fields(kind)}
    shapes = {name: shape(hint) for name, hint in hints.items()}
    loads = {name: inner.load for name, inner in shapes.items()}
    plains = {name: inner.plain for name, inner in shapes.items()}

    def load(value: object) -> object:
        given = cast("dict[str, object]", _load_exactly(dict, value))
        name = ""
        known: dict[str, object] = {}
        try:
            for name, item in given.items():
                known[name] = loads[name](item)
        except KeyError:
            message = f"unknown field {name!r}"
            raise ValueError(message) from None
        except ValueError as error:
            message = f"{name}: {error}"
            raise ValueError(message) from None
        try:
            return kind(**known)
        except TypeError as error:
            raise ValueError(str(error)) from None

    def plain(value: object) -> object:
        return {
            name: getattr(value, name) if inner is None else inner(getattr(value, name))
            for name, inner in plains.items()
        }

    return Shape(load=load, plain=plain if any(plains.values()) else None)


def _plain_json(value: object) -> object:
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if value in _INTEGERS else {"$int": str(value)}
        case float():
            return value if isfinite(value) else {"$float": str(value)}
        case Mapping():
            return _plain_object(cast("Mapping[object, object]", value))
        case Sequence() if not isinstance(value, bytes | bytearray | memoryview):
            return [_plain_json(item) for item in cast("Sequence[object]", value)]
        case _:
            message = f"{type(value).__name__} is no JSON"
            raise ValueError(message)


def _plain_object(value: object) -> object:
    found = cast("Mapping[object, object]", value)
    return {_plain_key(key): _plain_json(item) for key, item in found.items()}


def _plain_key(key: object) -> str:
    if not isinstance(key, str):
        message = f"a key of a JSON object is a text, not {type(key).__name__}"
        raise ValueError(message)
    return f"${key}" if key.startswith("$") else str(key)


def _load_json(value: object) -> object:
    if isinstance(value, dict):
        match cast("dict[str, object]", value):
            case {"$float": str(text)}:
                return float(text)
            case {"$int": str(text)}:
                return int(text)
            case _:
                return _load_object(cast("object", value))
    if isinstance(value, list):
        return [_load_json(item) for item in cast("list[object]", value)]
    return value


def _load_object(value: object) -> object:
    found = cast("dict[str, object]", _load_exactly(dict, value))
    return {
        key[1:] if key.startswith("$") else key: _load_json(item) for key, item in found.items()
    }
