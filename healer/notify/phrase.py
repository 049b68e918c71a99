"""Small phrases out of values of the model: what lines and headlines are put together from."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import assert_never

from healer.model.event import Ending
from healer.model.outcome import Decision, Finding, Json, Result, Verdict, with_name
from healer.notify.redact import plain, redact_value

SHOWN = 6
"""Of a longer list only so many are named."""


def clock(at: datetime) -> str:
    """The time of day, as lines begin."""
    return f"{at.astimezone(UTC):%H:%M:%S}Z"


def day(at: datetime) -> str:
    """A moment with its date."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}Z"


def short(text: str, limit: int = 120) -> str:
    """A name as it may be shown."""
    return plain(text, limit)


def because(reason: str) -> str:
    """The reason, as the end of a sentence."""
    said = plain(reason, 400)
    if not said:
        return "."
    return f": {said}" if said[-1] in ".!?…" else f": {said}."


def people(to: Iterable[str]) -> str:
    """Whom an escalation is for."""
    return ", ".join(short(name) for name in to) or "the person on call"


def ending(end: Ending) -> str:
    """Why an incident is over, in a word or two."""
    match end:
        case Ending.HEALED:
            return "healed"
        case Ending.RESOLVED:
            return "resolved without healer"
        case Ending.REHEARSED:
            return "rehearsed only, nothing was changed"
        case Ending.CANCELLED:
            return "cancelled, an operator took over"
        case _:
            assert_never(end)


def findings(seen: Iterable[Finding]) -> str:
    """What checks saw."""
    return _list([_finding(finding) for finding in seen], "nothing to look at")


def refusals(verdicts: Iterable[Verdict]) -> str:
    """Who did not simply say yes, and why."""
    said = [verdict for verdict in verdicts if verdict.decision is not Decision.ALLOW]
    return _list([_verdict(verdict) for verdict in said], "no reason was given")


def reasons(verdicts: Iterable[Verdict]) -> str:
    """What everybody said who was asked."""
    return _list([_verdict(verdict) for verdict in verdicts], "nobody had to be asked")


def params(given: Mapping[str, Json]) -> str:
    """Parameters of a step, secrets hidden."""
    shown = [
        f"{short(name, 40)}={plain(redact_value(name, value), 80)}"
        for name, value in given.items()
        if value is not None
    ]
    return ", ".join(shown[:SHOWN]) + (", …" if len(shown) > SHOWN else "")


def _finding(finding: Finding) -> str:
    said = plain(finding.summary, 200) or short(finding.check)
    name = short(finding.check, 60)
    return with_name(name, said) if finding.known else f"{name} not known: {said}"


def _verdict(verdict: Verdict) -> str:
    until = f" (until {clock(verdict.until)})" if verdict.until else ""
    return f"{short(verdict.guard, 60)}: {plain(verdict.reason, 300) or 'no reason given'}{until}"


def named(names: Iterable[str]) -> str:
    """Names, each once, with how often."""
    count: dict[str, int] = {}
    for name in names:
        count[name] = count.get(name, 0) + 1
    shown = [
        f"{short(name, 80) or '(no name)'}{f' x{n}' if n > 1 else ''}" for name, n in count.items()
    ]
    return ", ".join(shown[:SHOWN]) + (
        f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    )


def result(end: Result) -> str:
    """How a step ended, as the end of a sentence that begins with the step."""
    match end:
        case Result.SUCCEEDED:
            return "done"
        case Result.FAILED:
            return "failed"
        case Result.TIMED_OUT:
            return "ran out of time"
        case Result.CANCELLED:
            return "was cancelled"
        case Result.ABANDONED:
            return "was cut off, and nobody knows what came of it"
        case Result.SKIPPED:
            return "rehearsed, nothing was changed"
        case _:
            assert_never(end)


def scope(service: str) -> str:
    """What a pause is for."""
    return short(service) or "all services"


def _list(parts: list[str], empty: str) -> str:
    more = f"; and {len(parts) - SHOWN} more" if len(parts) > SHOWN else ""
    return ("; ".join(parts[:SHOWN]) or empty) + more
