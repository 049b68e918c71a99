"""prometheus.query and prometheus.range against a server that answers what the test says."""

import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from healer.check.contract import CheckContext
from healer.check.prometheus import Query, QueryParams, Range, RangeParams
from healer.client.prometheus import Prometheus
from healer.errors import PermanentError, TemporaryError, UnavailableError
from healer.model.service import Target
from tests.fakes.declared import hold_to_its_word
from tests.fakes.lab import HastyClock, service
from tests.fakes.stub import Stub, says, stub_server

QUERY = "/api/v1/query"
RANGE = "/api/v1/query_range"
CTX = CheckContext(
    id="queue",
    service=service(),
    target=Target(namespace="production", kind="deployment", name="api"),
)


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    async with stub_server() as running:
        yield running


@pytest.fixture
async def prometheus(stub: Stub) -> AsyncIterator[Prometheus]:
    client = Prometheus(stub.url)
    yield client
    await client.close()


def vector(*values: str, **more: Any) -> object:
    result = [{"metric": {"pod": str(n)}, "value": [1, one]} for n, one in enumerate(values)]
    return {"status": "success", "data": {"resultType": "vector", "result": result}, **more}


def matrix(*series: list[tuple[int, str]]) -> object:
    result = [{"metric": {"n": str(n)}, "values": one} for n, one in enumerate(series)]
    return {"status": "success", "data": {"resultType": "matrix", "result": result}}


def wish(**params: object) -> QueryParams:
    return QueryParams.model_validate({"query": "queue_length", **params})


async def test_one_series_is_its_value(prometheus: Prometheus, stub: Stub) -> None:
    stub.on("GET", QUERY, says(vector("42")))

    finding = await Query(prometheus).look(wish(), CTX)

    hold_to_its_word(Query(prometheus), finding)
    assert finding.check == "queue"
    assert finding.holds
    assert finding.summary == "is 42"
    assert finding.evidence == {"value": 42.0, "series": 1, "min": 42.0, "max": 42.0, "named": ""}


async def test_of_several_series_the_greatest_is_the_value(
    prometheus: Prometheus, stub: Stub
) -> None:
    stub.on("GET", QUERY, says(vector("3", "7", "NaN", "-1")))

    finding = await Query(prometheus).look(wish(), CTX)

    assert finding.evidence == {"value": 7.0, "series": 3, "min": -1.0, "max": 7.0, "named": ""}
    assert "the greatest of 3" in finding.summary


@pytest.mark.parametrize(
    ("bounds", "holds"),
    [
        ({"above": 6}, True),
        ({"above": 7}, False),
        ({"below": 4}, True),
        ({"below": 3}, False),
        ({"above": 6, "below": 4}, True),
        ({"above": 8, "below": 4}, False),
    ],
)
async def test_bounds_say_when_it_holds(
    prometheus: Prometheus, stub: Stub, *, bounds: dict[str, float], holds: bool
) -> None:
    stub.on("GET", QUERY, says(vector("3", "7")))

    assert (await Query(prometheus).look(wish(**bounds), CTX)).holds is holds


@pytest.mark.parametrize("answer", [vector(), vector("NaN")])
async def test_nothing_is_not_zero_unless_the_playbook_says_so(
    prometheus: Prometheus, stub: Stub, answer: object
) -> None:
    stub.on("GET", QUERY, says(answer))

    with pytest.raises(TemporaryError, match="Prometheus knows"):
        await Query(prometheus).look(wish(above=1), CTX)

    finding = await Query(prometheus).look(wish(above=1, empty="zero"), CTX)
    assert not finding.holds
    assert finding.evidence == {"value": 0.0, "series": 0, "min": 0.0, "max": 0.0, "named": ""}
    assert "counts as 0" in finding.summary


async def test_infinity_can_be_recorded_and_compared(prometheus: Prometheus, stub: Stub) -> None:
    stub.on("GET", QUERY, says(vector("+Inf", "-Inf")))

    finding = await Query(prometheus).look(wish(above=1e300), CTX)

    assert finding.holds
    assert finding.evidence["value"] == sys.float_info.max
    assert finding.evidence["min"] == -sys.float_info.max


async def test_warnings_reach_the_reader(prometheus: Prometheus, stub: Stub) -> None:
    stub.on("GET", QUERY, says(vector("1", warnings=["a shard is away"])))

    assert "a shard is away" in (await Query(prometheus).look(wish(), CTX)).summary


async def test_a_prometheus_that_is_away_is_no_finding(prometheus: Prometheus, stub: Stub) -> None:
    stub.on("GET", QUERY, says({}, status=503))

    with pytest.raises(UnavailableError):
        await Query(prometheus).look(wish(empty="zero"), CTX)


def test_no_kubernetes_right_is_needed(prometheus: Prometheus) -> None:
    assert Query(prometheus).permissions(wish(), namespace="production") == ()


RISE = RangeParams.model_validate({"query": "memory", "over": "10m", "step": "1m"})


@pytest.mark.parametrize(
    ("values", "slope", "rising"),
    [
        (["1", "2", "3", "4"], 1.0, True),
        (["4", "3", "2", "1"], -1.0, False),
        (["2", "2", "2", "2"], 0.0, False),
        (["5", "0", "9", "4"], 0.6, False),
    ],
)
async def test_a_trend_is_the_line_that_fits_best(
    prometheus: Prometheus, stub: Stub, *, values: list[str], slope: float, rising: bool
) -> None:
    stub.on("GET", RANGE, says(matrix([(60 * n, one) for n, one in enumerate(values)])))

    finding = await Range(prometheus, clock=HastyClock()).look(RISE, CTX)
    hold_to_its_word(Range(prometheus, clock=HastyClock()), finding)

    assert finding.holds is rising
    assert finding.evidence["rising"] is rising
    assert finding.evidence["slope_per_minute"] == pytest.approx(slope)
    assert finding.evidence["first"] == float(values[0])
    assert finding.evidence["last"] == float(values[-1])


async def test_the_range_is_the_last_of_the_asked_length(
    prometheus: Prometheus, stub: Stub
) -> None:
    stub.on("GET", RANGE, says(matrix([(0, "1"), (60, "2")])))

    await Range(prometheus, clock=HastyClock()).look(RISE, CTX)

    asked = stub.asked[0].query
    assert int(asked["end"]) - int(asked["start"]) == pytest.approx(600, abs=1)
    assert asked["step"] == "60"


@pytest.mark.parametrize("series", [[], [[(0, "1")]], [[(0, "1"), (60, "NaN")]]])
async def test_one_point_is_no_trend(
    prometheus: Prometheus, stub: Stub, series: list[list[tuple[int, str]]]
) -> None:
    stub.on("GET", RANGE, says(matrix(*series)))

    with pytest.raises(TemporaryError, match="too few for a trend"):
        await Range(prometheus, clock=HastyClock()).look(RISE, CTX)


async def test_several_series_have_no_one_trend(prometheus: Prometheus, stub: Stub) -> None:
    points = [(0, "1"), (60, "2")]
    stub.on("GET", RANGE, says(matrix(points, points)))

    with pytest.raises(PermanentError, match="2 series: aggregate them"):
        await Range(prometheus, clock=HastyClock()).look(RISE, CTX)


@pytest.mark.parametrize(
    "params",
    [
        {"query": ""},
        {"query": "up", "empty": "none"},
        {"query": "up", "over": "5m"},
        {},
    ],
)
def test_wrong_parameters_of_a_query_are_refused(params: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        QueryParams.model_validate(params)


def test_a_range_takes_durations_as_prometheus_writes_them() -> None:
    assert RISE.over == timedelta(minutes=10)
    with pytest.raises(ValidationError):
        RangeParams.model_validate({"query": "up", "over": "0s"})
    with pytest.raises(ValidationError):
        RangeParams.model_validate({"query": "up", "over": 600})


async def test_the_label_of_the_greatest_series_is_told_where_it_is_asked_for(
    prometheus: Prometheus, stub: Stub
) -> None:
    stub.on("GET", QUERY, says(vector("3", "NaN", "8", "5")))

    named = await Query(prometheus).look(wish(label="pod"), CTX)
    unknown = await Query(prometheus).look(wish(label="node"), CTX)

    assert (named.evidence["value"], named.evidence["named"]) == (8.0, "2")
    assert unknown.evidence["named"] == ""


async def test_of_no_series_no_label_is_told(prometheus: Prometheus, stub: Stub) -> None:
    stub.on("GET", QUERY, says(vector()))

    finding = await Query(prometheus).look(wish(label="pod", empty="zero"), CTX)

    assert finding.evidence["named"] == ""
