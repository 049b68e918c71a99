"""Only on these days, in these hours. Also the other way round: never in a maintenance window."""

from datetime import datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from healer.guard.contract import Plan
from healer.model.outcome import Decision, Verdict

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        message = f"no such time zone: {name!r}; write it like Europe/Berlin"
        raise ValueError(message) from error
    return name


class WindowParams(BaseModel):
    """`days` (mon to sun) from `start` to `end` in `zone`; an end before the start is next day."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    days: tuple[Annotated[str, Field(pattern="^(mon|tue|wed|thu|fri|sat|sun)$")], ...] = _DAYS
    start: time = time(0, 0)
    end: time = time(0, 0)
    zone: Annotated[str, AfterValidator(_known_zone)] = "UTC"


class WindowGuard:
    """Holds outside the window, until it opens."""

    name = "window"
    params = WindowParams

    async def judge(self, params: WindowParams, plan: Plan, *, now: datetime) -> Verdict:
        """ALLOW inside; HOLD until the next opening outside."""
        if plan.taking_back:  # what was begun inside the window may be undone after it
            return Verdict(guard=self.name, decision=Decision.ALLOW, reason="no round begins")
        if is_open(params, now):
            return Verdict(guard=self.name, decision=Decision.ALLOW, reason="inside the window")
        until = next_opening(params, now)
        reason = f"outside {', '.join(params.days)} {params.start:%H:%M}-{params.end:%H:%M}"
        reason = f"{reason} {params.zone}"
        return Verdict(guard=self.name, decision=Decision.HOLD, reason=reason, until=until)


def is_open(params: WindowParams, now: datetime) -> bool:
    """Is the moment inside, in the window's own zone?"""
    local = now.astimezone(ZoneInfo(params.zone))
    today = _DAYS[local.weekday()] in params.days
    yesterday = _DAYS[(local.weekday() - 1) % 7] in params.days
    clock = local.time()
    if params.start == params.end:
        return today
    if params.start < params.end:
        return today and params.start <= clock < params.end
    return (today and clock >= params.start) or (yesterday and clock < params.end)


def next_opening(params: WindowParams, now: datetime) -> datetime | None:
    """When it opens next; None where it never does."""
    local = now.astimezone(ZoneInfo(params.zone))
    for ahead in range(8):
        day = local.date() + timedelta(days=ahead)
        opening = datetime.combine(day, params.start, tzinfo=ZoneInfo(params.zone))
        if opening > local and _DAYS[day.weekday()] in params.days:
            return opening.astimezone(now.tzinfo)
    return None
