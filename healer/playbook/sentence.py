"""What pydantic found wrong, in sentences that say what would be right."""

from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from healer.playbook.nearest import did_you_mean

_SHOWN = 60
_KINDS = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "none_required": "null",
}
_COMPARED = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
    "multiple_of": ("multiple_of", "a multiple of"),
}
_COUNTED = {"too_short": ("min_length", "at least"), "too_long": ("max_length", "at most")}
_MEASURED = {
    "string_too_short": ("min_length", "at least"),
    "string_too_long": ("max_length", "at most"),
}
"""What pydantic calls a mistake, and how its limit is called in the error's context."""


def sentence(error: ErrorDetails, model: type[BaseModel]) -> str:
    """One mistake in words. `model` is what the whole value should have been."""
    kind, found, limits = error["type"], error["input"], error.get("ctx", {})
    last = str(error["loc"][-1]) if error["loc"] else ""
    if kind == "extra_forbidden":
        return f"unknown key `{last}`{did_you_mean(last, fields_at(model, error['loc'][:-1]))}"
    if kind == "missing":
        return f"`{last}` is missing"
    if kind in ("literal_error", "enum"):
        return _choice(found, str(limits["expected"]))
    if kind in ("value_error", "assertion_error"):
        return str(limits["error"])
    if kind in _KINDS:
        return f"must be {_KINDS[kind]}, not {show(found)}"
    return _limit(kind, limits, found) or f"{error['msg']}, not {show(found)}"


def fields_at(model: type[BaseModel], loc: Sequence[str | int]) -> frozenset[str]:
    """The keys that may stand at `loc` inside a value of `model`."""
    return frozenset(
        field.alias or name
        for found in _models_at(model, tuple(loc))
        for name, field in found.model_fields.items()
    )


def show(value: object) -> str:
    """A value as it was written, cut where it is long."""
    match value:
        case None | bool():
            return "null" if value is None else str(value).lower()
        case Mapping():
            return "a mapping"
        case str():
            return repr(value if len(value) <= _SHOWN else f"{value[: _SHOWN - 1]}…")
        case Sequence():
            return "a list"
        case _:
            return str(value)[:_SHOWN]


def _choice(found: object, expected: str) -> str:
    allowed = [word.strip(" '") for word in expected.replace(" or ", ",").split(",")]
    near = did_you_mean(str(found), allowed)
    hint = near if "did you mean" in near else ""
    one_of = "one of " if len(allowed) > 1 else ""
    return f"must be {one_of}{', '.join(allowed)}, not {show(found)}{hint}"


def _limit(kind: str, limits: Mapping[str, Any], found: object) -> str:
    if kind in _COMPARED:
        name, words = _COMPARED[kind]
        return f"must be {words} {limits[name]}, not {show(found)}"
    if kind in _COUNTED:
        name, words = _COUNTED[kind]
        entries = _count(limits[name], "entry", "entries")
        return f"must have {words} {entries}, not {limits['actual_length']}"
    if kind in _MEASURED:
        name, words = _MEASURED[kind]
        letters = _count(limits[name], "character", "characters")
        return f"must have {words} {letters}, not {show(found)}"
    if kind == "string_pattern_mismatch":
        return f"{show(found)} does not match {limits['pattern']}"
    return ""


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _models_at(annotation: Any, loc: tuple[str | int, ...]) -> Iterator[type[BaseModel]]:
    """The models that a value at `loc` may be of; names of union branches in `loc` are passed."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from _models_in(annotation, loc)
        return
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _models_at(args[0], loc)
    elif origin in (Union, UnionType):
        for arg in args:
            yield from _models_at(arg, loc)
    elif args and loc:  # a list or a mapping: one step leads to its items
        yield from _models_at(args[-1] if args[-1] is not ... else args[0], loc[1:])


def _models_in(model: type[BaseModel], loc: tuple[str | int, ...]) -> Iterator[type[BaseModel]]:
    if not loc:
        yield model
        return
    for name, field in model.model_fields.items():
        if loc[0] in (name, field.alias):
            yield from _models_at(field.annotation, loc[1:])
            return
    yield from _models_in(model, loc[1:])
