"""Durations as Prometheus writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.lab.monitoring.duration import parse, shorten, write


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("5m", 300), ("1h30m", 5400), ("250ms", 0.25), ("0", 0), ("0s", 0), ("1d", 86400)],
)
def test_a_duration_is_read_in_seconds(written: str, seconds: float) -> None:
    assert parse(written) == seconds


@pytest.mark.parametrize("written", ["", "5", "m", "5 m", "-5m", "1.5s"])
def test_what_is_no_duration_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        parse(written)


@given(st.integers(min_value=0, max_value=10**10))
def test_what_is_written_reads_as_the_same_time(milliseconds: int) -> None:
    assert parse(write(milliseconds / 1000)) == milliseconds / 1000


def test_the_floor_shortens_no_further_and_lengthens_nothing() -> None:
    assert shorten("5m", factor=60, floor=4) == "5s"
    assert shorten("1m", factor=60, floor=4) == "4s"
    assert shorten("2s", factor=60, floor=4) == "2s"
    assert shorten("0s", factor=60, floor=4) == "0s"
