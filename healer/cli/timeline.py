"""A timeline on a terminal: a line an entry, aligned, to be read at three in the morning."""

import shutil
import sys
import textwrap
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from healer.cli.output import clean
from healer.kit.duration import format_duration

_TIME = 8
_OFFSET = 10
_EVENT = 15  # the longest is PlaybookMatched
_INDENT = _TIME + _OFFSET + _EVENT + 6


class TimelinePrinter:
    """Makes lines one by one, so that it can follow; says the day whenever it changes."""

    def __init__(self, *, width: int | None) -> None:
        self._width = width
        self._start: datetime | None = None
        self._day = ""

    def head(self) -> str:
        """The names of the columns."""
        return _line("TIME", "OFFSET", "EVENT", "WHAT")

    def line(self, entry: Mapping[str, Any]) -> str:
        """One entry; the first one is where offsets begin. A new day is a line before it."""
        at = moment(str(entry["at"]))
        self._start = self._start or at
        words = clean(str(entry["detail"] or "·"))
        event = clean(str(entry["event"]["type"]))
        text = _line(f"{at:%H:%M:%S}", f"+{span(at - self._start)}", event, words)
        day = f"{at:%Y-%m-%d} UTC"
        lines = [*([day] if day != self._day else []), *self._wrapped(text)]
        self._day = day
        return "\n".join(lines)

    def _wrapped(self, text: str) -> list[str]:
        if self._width is None or self._width < _INDENT + 20 or len(text) <= self._width:
            return [text]
        head, body = text[:_INDENT], text[_INDENT:]
        lines = textwrap.wrap(body, self._width - _INDENT)
        return [head + lines[0], *(" " * _INDENT + line for line in lines[1:])]


def terminal_width() -> int | None:
    """None where no person reads: then lines are never broken."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def moment(text: str) -> datetime:
    """A time of the API."""
    return datetime.fromisoformat(text).astimezone(UTC)


def span(length: timedelta) -> str:
    """Whole seconds are enough for people."""
    return format_duration(timedelta(seconds=round(length.total_seconds())))


def _line(time: str, offset: str, event: str, words: str) -> str:
    return f"{time:<{_TIME}}  {offset:<{_OFFSET}}  {event:<{_EVENT}}  {words}".rstrip()
