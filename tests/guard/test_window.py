"""Days and hours, in the window's own zone, over midnight and over the change of clocks."""

from datetime import UTC, datetime, time

import pytest
from pydantic import ValidationError

from healer.guard.window import WindowGuard, WindowParams, is_open, next_opening
from healer.model.outcome import Decision
from tests.guard.plan import plan

OFFICE = WindowParams(
    days=("mon", "tue", "wed", "thu", "fri"), start=time(9), end=time(17), zone="Europe/Berlin"
)
NIGHT = WindowParams(days=("fri",), start=time(22), end=time(4), zone="UTC")


@pytest.mark.parametrize(
    ("window", "moment", "inside"),
    [
        pytest.param(OFFICE, "2026-01-05T08:30", True, id="Monday half past nine in Berlin"),
        pytest.param(OFFICE, "2026-01-05T07:30", False, id="too early"),
        pytest.param(OFFICE, "2026-01-05T16:00", False, id="the end is outside"),
        pytest.param(OFFICE, "2026-01-04T12:00", False, id="Sunday"),
        pytest.param(OFFICE, "2026-07-06T07:30", True, id="half past nine in summer"),
        pytest.param(NIGHT, "2026-01-09T23:00", True, id="Friday night"),
        pytest.param(NIGHT, "2026-01-10T03:00", True, id="the morning after belongs to it"),
        pytest.param(NIGHT, "2026-01-09T03:00", False, id="the morning before does not"),
        pytest.param(WindowParams(), "2026-01-10T03:00", True, id="no bounds: always"),
    ],
)
def test_a_moment_is_inside_or_outside(window: WindowParams, moment: str, inside: bool) -> None:
    assert is_open(window, datetime.fromisoformat(moment).replace(tzinfo=UTC)) is inside


def test_the_next_opening_is_told_in_the_zone_of_the_question() -> None:
    sunday = datetime(2026, 1, 4, 12, tzinfo=UTC)
    assert next_opening(OFFICE, sunday) == datetime(2026, 1, 5, 8, tzinfo=UTC)


async def test_outside_it_holds_until_the_next_opening() -> None:
    sunday = datetime(2026, 1, 4, 12, tzinfo=UTC)
    verdict = await WindowGuard().judge(OFFICE, plan(), now=sunday)
    assert verdict.decision is Decision.HOLD
    assert verdict.until == datetime(2026, 1, 5, 8, tzinfo=UTC)


def test_an_unknown_zone_is_refused_with_what_would_be_right() -> None:
    with pytest.raises(ValidationError, match="Europe/Berlin"):
        WindowParams(zone="Mars/Olympus")
