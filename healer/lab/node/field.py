"""Typed looks into Kubernetes objects; what is absent reads as empty."""

from decimal import Decimal, InvalidOperation
from typing import Any

from healer.lab.contract import Object

UNITS = {
    "": 1,
    "m": Decimal("0.001"),
    **{unit: 1000**power for power, unit in enumerate(("k", "M", "G", "T", "P", "E"), start=1)},
    **{f"{unit}i": 1024**power for power, unit in enumerate("KMGTPE", start=1)},
}


def value(obj: Object, *path: str) -> Any:
    """What lies at the path, or None."""
    found: Any = obj
    for key in path:
        if not isinstance(found, dict):
            return None
        found = found.get(key)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] JSON
    return found  # pyright: ignore[reportUnknownVariableType] JSON


def mapping(obj: Object, *path: str) -> Object:
    """The object at the path, or an empty one."""
    return value(obj, *path) or {}


def entries(obj: Object, *path: str) -> list[Object]:
    """The list of objects at the path, or an empty one."""
    return value(obj, *path) or []


def text(obj: Object, *path: str) -> str:
    """The string at the path, or ''."""
    found = value(obj, *path)
    return "" if found is None else str(found)


def quantity(written: str | int | float) -> int:
    """Bytes (or whole units) of a Kubernetes quantity such as 200Gi, rounded up."""
    shown = str(written).strip()
    number = shown.rstrip("kKMGTPEim")
    unit = shown[len(number) :]
    try:
        return int((Decimal(number) * UNITS[unit]).to_integral_value(rounding="ROUND_CEILING"))
    except (InvalidOperation, KeyError) as error:
        raise ValueError(f"{shown!r} is no Kubernetes quantity such as 512Mi or 200Gi") from error
