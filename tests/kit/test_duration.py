"""Durations are read and written as Prometheus does."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from healer.kit.duration import Duration, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("90s", 90),
        ("5m", 300),
        ("1h30m", 5400),
        ("7d", 604_800),
        ("1w", 604_800),
        ("1y", 31_536_000),
        ("250ms", 0.25),
        ("1d2h3m4s5ms", 93_784.005),
    ],
)
def test_a_duration_is_read_as_prometheus_reads_it(text: str, seconds: float) -> None:
    assert parse_duration(text).total_seconds() == seconds


@pytest.mark.parametrize(
    "text", ["", "5", "m", "-5m", "5 m", "5m1h", "5m5m", "1.5h", "5M", "5min", "٥m", "5m\n", "P7D"]
)
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="write a duration like 30s"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["101y", "999999999999y", "999999999999d"])
def test_a_duration_beyond_all_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="longer than a hundred years"):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=100 * 365 * 24 * 3600 * 1000))
def test_a_written_duration_reads_back_the_same(milliseconds: int) -> None:
    span = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(span)) == span


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        span = parse_duration(text)
    except ValueError:
        return
    assert span >= timedelta()


def test_a_negative_span_is_shown_with_its_sign() -> None:
    assert format_duration(timedelta(seconds=-90)) == "-1m30s"


class Wait(BaseModel):
    span: Duration


def test_a_model_reads_and_writes_durations_as_text() -> None:
    wait = Wait.model_validate({"span": "1h30m"})
    assert wait.span == timedelta(minutes=90)
    assert wait.model_dump(mode="json") == {"span": "1h30m"}
    assert Wait(span=timedelta(seconds=5)).span == timedelta(seconds=5)


@pytest.mark.parametrize("value", [30, 1.5, None, True, ["5m"]])
def test_a_number_without_a_unit_is_refused(value: object) -> None:
    with pytest.raises(ValidationError, match="has no unit"):
        Wait.model_validate({"span": value})
