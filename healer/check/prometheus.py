"""prometheus.query and prometheus.range: what the numbers say, now and over time.

No series, NaN and zero are different things: the first two are "not known" unless the playbook
says that nothing counts as zero.
"""

import math
import sys
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from healer.check.contract import CheckContext, Kinds
from healer.check.param import Params
from healer.client.prometheus import Prometheus, Reading
from healer.errors import PermanentError, TemporaryError
from healer.kit.clock import Clock
from healer.kit.duration import Duration
from healer.model.effect import Permission
from healer.model.outcome import Finding


class Empty(StrEnum):
    """What an empty answer means."""

    UNKNOWN = "unknown"
    ZERO = "zero"


class QueryParams(Params):
    """`above` and `below` say when the answer is yes; without them, any number is.

    `label` is whose value of the greatest series shall be told: `pod`.
    """

    query: Annotated[str, Field(min_length=1)]
    empty: Empty = Empty.UNKNOWN
    above: float | None = None
    below: float | None = None
    label: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_]\w*$")] | None = None


class Query:
    """Evidence: value, series, min, max, named. `value` is the only one, or of several the
    greatest; `named` is what the label that was asked for says of it, '' where nothing does.

    Infinite values appear as the greatest finite number, for a record in JSON knows no infinity.
    """

    name = "prometheus.query"
    params = QueryParams
    evidence = Kinds({"value": float, "series": int, "min": float, "max": float, "named": str})

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus

    def permissions(self, params: QueryParams, *, namespace: str) -> Sequence[Permission]:
        """None in Kubernetes."""
        return ()

    async def look(self, params: QueryParams, ctx: CheckContext) -> Finding:
        """Ask once."""
        reading = await self._prometheus.query(params.query)
        values = [one.last for one in reading.series if not math.isnan(one.last)]
        if not values and params.empty is Empty.UNKNOWN:
            message = f"Prometheus knows {_nothing(reading)} for {params.query}"
            raise TemporaryError(message)
        finite = [_finite(value) for value in values] or [0.0]
        least, most, named = min(finite), max(finite), _named(reading, params)
        return Finding(
            check=ctx.id,
            holds=_between(params, least=least, most=most),
            summary=f"is {most:g}{_aside(reading, values)}{f' of {named}' if named else ''}",
            evidence={
                "value": most,
                "series": len(values),
                "min": least,
                "max": most,
                "named": named,
            },
        )


def _named(reading: Reading, params: QueryParams) -> str:
    known = [one for one in reading.series if not math.isnan(one.last)]
    if not known or params.label is None:
        return ""
    return max(known, key=lambda one: one.last).labels.get(params.label, "")


def _nothing(reading: Reading) -> str:
    return "no series" if reading.empty else "only NaN"


def _aside(reading: Reading, values: Sequence[float]) -> str:
    parts = [f"the greatest of {len(values)}"] if len(values) > 1 else []
    parts += [f"{_nothing(reading)}, which counts as 0"] if not values else []
    parts += [f"warning: {one}" for one in reading.warnings]
    return f" ({'; '.join(parts)})" if parts else ""


def _between(params: QueryParams, *, least: float, most: float) -> bool:
    """Above: any series is. Below: any series is."""
    high = params.above is None or most > params.above
    low = params.below is None or least < params.below
    return high and low


def _finite(value: float) -> float:
    return max(-sys.float_info.max, min(sys.float_info.max, value))


class RangeParams(Params):
    """The last `over`, one point every `step`."""

    query: Annotated[str, Field(min_length=1)]
    over: Annotated[Duration, Field(ge=timedelta(seconds=1))]
    step: Annotated[Duration, Field(ge=timedelta(seconds=1))] = timedelta(seconds=15)


class Range:
    """Evidence: first, last, min, max, slope_per_minute, rising. The answer must be one series.

    The slope is that of the straight line that fits best; `rising` asks in addition that the last
    value is above the first.
    """

    name = "prometheus.range"
    params = RangeParams
    evidence = Kinds(
        {
            **dict.fromkeys(("first", "last", "min", "max", "slope_per_minute"), float),
            "rising": bool,
        }
    )

    def __init__(self, prometheus: Prometheus, *, clock: Clock) -> None:
        self._prometheus = prometheus
        self._clock = clock

    def permissions(self, params: RangeParams, *, namespace: str) -> Sequence[Permission]:
        """None in Kubernetes."""
        return ()

    async def look(self, params: RangeParams, ctx: CheckContext) -> Finding:
        """Ask once; at least two points are needed to speak of a trend."""
        end = self._clock.now()
        reading = await self._prometheus.range(
            params.query, start=end - params.over, end=end, step=params.step
        )
        points = _points(reading, params.query)
        values = [value for _, value in points]
        slope = _slope_per_minute(points)
        rising = slope > 0 and values[-1] > values[0]
        return Finding(
            check=ctx.id,
            holds=rising,
            summary=f"went from {values[0]:g} to {values[-1]:g}",
            evidence={
                "first": values[0],
                "last": values[-1],
                "min": min(values),
                "max": max(values),
                "slope_per_minute": slope,
                "rising": rising,
            },
        )


def _points(reading: Reading, query: str) -> list[tuple[float, float]]:
    if len(reading.series) > 1:
        message = (
            f"{query} answers {len(reading.series)} series: aggregate them into one (sum, max)"
        )
        raise PermanentError(message)
    points = [
        (moment, _finite(value))
        for one in reading.series
        for moment, value in one.points
        if not math.isnan(value)
    ]
    if len(points) < 2:
        message = f"Prometheus knows {len(points)} points of {query}: too few for a trend"
        raise TemporaryError(message)
    return points


def _slope_per_minute(points: Sequence[tuple[float, float]]) -> float:
    """Least squares."""
    start = points[0][0]
    minutes = [(moment - start) / 60 for moment, _ in points]
    middle = math.fsum(minutes) / len(points)
    mean = math.fsum(value / len(points) for _, value in points)
    spread = math.fsum((minute - middle) ** 2 for minute in minutes)
    shared = math.fsum(
        (minute - middle) * (value - mean)
        for minute, (_, value) in zip(minutes, points, strict=True)
    )
    return _finite(shared / spread)
