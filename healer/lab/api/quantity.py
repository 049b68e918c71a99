"""Kubernetes quantities (500m, 4Gi) as exact numbers, and shares (25%) as whole ones."""

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from types import MappingProxyType

_UNITS: Mapping[str, Decimal] = MappingProxyType(
    {
        "n": Decimal("1e-9"),
        "u": Decimal("1e-6"),
        "m": Decimal("1e-3"),
        "": Decimal(1),
        **{unit: Decimal(1000) ** n for n, unit in enumerate(("k", "M", "G", "T", "P", "E"), 1)},
        **{f"{unit}i": Decimal(1024) ** n for n, unit in enumerate("KMGTPE", 1)},
    }
)


def quantity(written: str | int | float) -> Decimal:
    """The number a quantity stands for; ValueError where it is none."""
    text = str(written).strip()
    digits = text.rstrip("numkKMGTPEi")
    try:
        return Decimal(digits) * _UNITS[text[len(digits) :]]
    except (InvalidOperation, KeyError) as error:
        raise ValueError(f"{text!r} is no quantity such as 500m or 4Gi") from error


def share(value: str | int, whole: int, *, up: bool) -> int:
    """An absolute number, or a percentage of `whole`, rounded up or down."""
    if isinstance(value, int) or not value.endswith("%"):
        return int(value)
    part = Decimal(value[:-1]) * whole / 100
    return int(part.to_integral_value(ROUND_CEILING if up else ROUND_FLOOR))
