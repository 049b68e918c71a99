"""Holds what a check found to what it declares: the same names, and values of these kinds."""

from typing import Any

from pydantic import TypeAdapter

from healer.check.contract import Check
from healer.model.outcome import ANY_NAME, Finding


def hold_to_its_word(check: Check[Any], found: Finding) -> None:
    """AssertionError for a name too many or too few, or for a value of another kind."""
    kinds = dict(check.evidence)
    other = kinds.pop(ANY_NAME, None)
    told = set(found.evidence)
    assert kinds.keys() <= told, f"{check.name} declares more than it tells"
    assert other is not None or told == kinds.keys(), f"{check.name} tells more than it declares"
    for name, value in found.evidence.items():
        kind: Any = kinds.get(name, other)
        adapter: TypeAdapter[Any] = TypeAdapter(kind)
        adapter.validate_python(value, strict=True)
