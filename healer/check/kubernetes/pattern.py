"""Searching lines with an expression that a playbook gives, so that no expression holds us up.

Python's own `re` can take for ever and lets nobody else run meanwhile, thread or not. The matcher
here is that of CEL: linear in the text, without look-around and back-references. It compiles the
expression for every line, so the whole has a deadline too, looked at between two lines.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

import cel
from pydantic import AfterValidator, StringConstraints

from healer.errors import PermanentError

_PATIENCE = timedelta(seconds=5)
_LONGEST_LINE = 4096
_SIGNS = frozenset(r"\.+*?()|[]{}^$#&-~")
_MATCHES = "line.matches(expression)"


def _check(expression: str) -> str:
    """Refuse what the matcher cannot read, and say why."""
    try:
        cel.compile(_MATCHES).execute({"line": "", "expression": expression})
    except (RuntimeError, ValueError) as error:
        message = f"{expression!r} is not an expression that can be searched for: {_why(error)}"
        raise ValueError(message) from error
    return expression


def _why(error: Exception) -> str:
    """The last words of the matcher's report; the rest draws arrows."""
    text = str(error).removesuffix(". Check function arguments and their types.")
    return text.rpartition("error: ")[2].rpartition("\n")[2].strip() or "it cannot be read"


Expression = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_check)]
"""A regular expression as RE2 and CEL's `matches` know it: `(?i)out of memory|CUDA error`."""


async def find(
    lines: Sequence[str], expression: str, *, patience: timedelta = _PATIENCE
) -> list[int]:
    """The numbers of the lines in which it occurs, counted from 0; only their beginning is read."""
    return await asyncio.to_thread(_find, lines, expression, patience.total_seconds())


def _find(lines: Sequence[str], expression: str, seconds: float) -> list[int]:
    if not _SIGNS & set(expression):
        return [number for number, line in enumerate(lines) if expression in line[:_LONGEST_LINE]]
    program = cel.compile(_MATCHES)
    until = time.monotonic() + seconds
    found: list[int] = []
    for number, line in enumerate(lines):
        if time.monotonic() > until:
            message = (
                f"searching {len(lines)} lines for {expression!r} takes more than {seconds:g} s: "
                "use a simpler expression or a smaller tail"
            )
            raise PermanentError(message)
        if program.execute({"line": line[:_LONGEST_LINE], "expression": expression}) is True:
            found.append(number)
    return found
