"""Durations as Prometheus writes them (1h30m, 15s, 250ms). Pure."""

import re

MILLISECONDS = {
    "y": 31_536_000_000,
    "w": 604_800_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1_000,
    "ms": 1,
}
PATTERN = r"(?:\d+(?:ms|[ywdhms]))+"


def parse(written: str) -> float:
    """Seconds."""
    if written == "0":
        return 0.0
    if not re.fullmatch(PATTERN, written):
        raise ValueError(f"{written!r} is no duration such as 5m, 1h30m or 250ms")
    parts = re.findall(r"(\d+)(ms|[ywdhms])", written)
    return sum(int(number) * MILLISECONDS[unit] for number, unit in parts) / 1000


def write(seconds: float) -> str:
    """The shortest way to write it, to the millisecond."""
    rest = round(seconds * 1000)
    if rest == 0:
        return "0s"
    found = ""
    for unit in ("d", "h", "m", "s", "ms"):
        number, rest = divmod(rest, MILLISECONDS[unit])
        found += f"{number}{unit}" if number else ""
    return found


def shorten(written: str, *, factor: float, floor: float) -> str:
    """Divide a duration, but not below the floor and never making it longer; 0 stays 0."""
    seconds = parse(written)
    return write(max(seconds / factor, min(floor, seconds)))
