"""Sizes as Kubernetes writes them (300Gi, 1500M, 2e9), in whole bytes."""

import re
from decimal import ROUND_CEILING, Decimal

_UNITS = {
    "m": Decimal("0.001"),
    "": Decimal(1),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", start=1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", start=1)},
}
_FORM = re.compile(
    r"(?P<number>[0-9]{1,18}(\.[0-9]{0,9})?(e[0-9]{1,2})?)(?P<unit>m|k|[MGTPE]|[KMGTPE]i|)"
)
_SHOWN = ("Ti", "Gi", "Mi", "Ki")


def parse_bytes(text: str) -> int:
    """The number of bytes, rounded up as Kubernetes does; ValueError where it is no size."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        message = f"{text!r} is no size: write it like 300Gi or 1500M"
        raise ValueError(message)
    number = Decimal(found["number"]) * _UNITS[found["unit"]]
    return int(number.to_integral_value(ROUND_CEILING))


def format_bytes(number: float) -> str:
    """For people: 1536 is 1.5Ki."""
    for unit in _SHOWN:
        if abs(number) >= _UNITS[unit]:
            return f"{number / float(_UNITS[unit]):.3g}{unit}"
    return f"{number:.0f}"
