"""A server that healer leans on is out of order for a while; and what healer says of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from healer.model.event import (
    Chosen,
    Diagnosed,
    Entry,
    Event,
    Judged,
    Moment,
    Opened,
    StepFinished,
    StepStarted,
    Verified,
)
from healer.model.outcome import Decision, Result
from tests.fakes.gate import Seen, Trouble
from tests.fakes.watched import WatchedTimeline

MOMENTS: tuple[type[Event], ...] = (Opened, Chosen, StepStarted, StepFinished)
"""From the start, before the step is judged, while it runs, while its effect is verified."""
LASTS = 2.5
"""Seconds the API server or Prometheus are away: longer than a drill takes to heal with them."""
CHANNELS = ("slack", "pagerduty")
"""These are away until healer has healed without them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Which server, how, and since when. `seconds` it lasts."""

    server: str
    trouble: Trouble
    since: type[Event]

    def __str__(self) -> str:
        return f"{self.server}-{self.trouble.value}-{self.since.__name__}"


async def last(timeline: WatchedTimeline, outage: Outage) -> None:
    """As long as the outage is."""
    if outage.server in CHANNELS:
        async with asyncio.timeout(60):
            await timeline.until(Verified, lambda event: was_healed([event]))
        return
    await asyncio.sleep(LASTS)
    if outage.server == "prometheus":  # every walk needs it, so every outage is noticed in the end
        async with asyncio.timeout(60):
            await timeline.until(Judged, names_prometheus)


def names_prometheus(event: Event) -> bool:
    """Does a hold say that Prometheus is missing?"""
    if not isinstance(event, Judged) or event.decision is not Decision.HOLD:
        return False
    return any("Prometheus" in verdict.reason for verdict in event.verdicts)


def holds(entries: Sequence[Entry]) -> list[str]:
    """The reasons given for waiting."""
    return [
        verdict.reason
        for entry in entries
        if isinstance(entry.event, Judged) and entry.event.decision is Decision.HOLD
        for verdict in entry.event.verdicts
    ]


def failures(entries: Sequence[Entry]) -> list[str]:
    """The reasons given for steps that did not come to their end."""
    finished = [one.event for one in entries if isinstance(one.event, StepFinished)]
    return [
        one.outcome.summary
        for one in finished
        if one.outcome.result is not Result.SUCCEEDED or "asked of the world" in one.outcome.summary
    ]


def missed(seen: Sequence[Seen], outage: Outage, *, waits: str) -> list[str]:
    """What healer asked for in vain and knows of, so that it has to be told.

    A step that waits for a rollout (`waits` ends its path) waits on; and a read that is cut off is
    repeated by aiohttp at once: healer hears of it only where the repetition fails as well.
    """
    return [
        f"{one.method} {one.path}"
        for place, one in enumerate(seen, start=1)
        if one.in_vain
        and not one.path.endswith(waits)
        and not (outage.trouble is Trouble.LOST and _repeated(one, seen[place:]))
    ]


def _repeated(one: Seen, later: Sequence[Seen]) -> bool:
    """Was the same read asked for again, and answered?"""
    question = (one.method, one.path, one.query)
    again = (each for each in later if (each.method, each.path, each.query) == question)
    return one.method == "GET" and not next(again, one).in_vain


def unseen(entries: Sequence[Entry]) -> list[str]:
    """What checks could not see, and why; the walk goes on where it does not hang on that."""
    return [
        finding.summary
        for entry in entries
        if isinstance(entry.event, Diagnosed)
        for finding in entry.event.findings
        if not finding.known
    ]


def was_healed(events: Sequence[Event]) -> bool:
    """Was the cure verified in these?"""
    verified = [one for one in events if isinstance(one, Verified)]
    return any(one.moment is Moment.AFTER and one.healed for one in verified)
