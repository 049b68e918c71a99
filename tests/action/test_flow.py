"""Waiting, for time and for a number."""

import asyncio
from datetime import timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import ValidationError

from healer.action.contract import StepContext
from healer.action.flow import Wait, WaitParams, WaitUntil, WaitUntilParams
from healer.client.prometheus import Prometheus
from healer.kit.clock import SystemClock
from healer.model.event import IncidentId
from healer.model.outcome import Outcome, Result
from tests.fakes.clock import LoopClock
from tests.fakes.house import SERVICE, WORKLOAD


def context(*, seconds: float = 60, dry_run: bool = False) -> StepContext:
    return StepContext(
        incident=IncidentId("inc-1"),
        service=SERVICE,
        target=WORKLOAD,
        key="inc-1.1.wait",
        attempt=1,
        deadline=SystemClock().now() + timedelta(seconds=seconds),
        dry_run=dry_run,
    )


@pytest.mark.looptime
async def test_waiting_takes_its_time() -> None:
    outcome = await Wait(LoopClock()).run(WaitParams.model_validate({"for": "90s"}), context())
    assert asyncio.get_running_loop().time() >= 90
    assert outcome.summary == "waited 1m30s"


@pytest.mark.looptime
async def test_a_rehearsal_does_not_wait() -> None:
    params = WaitParams.model_validate({"for": "90s"})
    outcome = await Wait(LoopClock()).run(params, context(dry_run=True))
    assert asyncio.get_running_loop().time() < 1
    assert outcome.result is Result.SKIPPED


@pytest.mark.parametrize("bounds", [{}, {"above": 1.0, "below": 2.0}])
def test_a_wait_has_exactly_one_bound(bounds: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match="either `above` or `below`"):
        WaitUntilParams.model_validate({"query": "up", **bounds})


class FakeSeries:
    """A Prometheus that answers one value after the other; None is an empty answer."""

    def __init__(self, *values: str | None) -> None:
        self._values = list(values)

    async def answer(self, request: web.Request) -> web.Response:
        value = self._values.pop(0) if len(self._values) > 1 else self._values[0]
        row = f'{{"metric": {{}}, "value": [1, "{value}"]}}'
        result = "" if value is None else row
        data = f'{{"resultType": "vector", "result": [{result}]}}'
        return web.json_response(text=f'{{"status": "success", "data": {data}}}')


async def wait_until(series: FakeSeries, *, seconds: float) -> Outcome:
    app = web.Application()
    app.router.add_route("*", "/api/v1/query", series.answer)
    async with TestServer(app) as server:
        prometheus = Prometheus(str(server.make_url("/")))
        try:
            action = WaitUntil(prometheus, clock=SystemClock())
            params = WaitUntilParams.model_validate({"query": "x", "above": 3, "every": "10ms"})
            return await action.run(params, context(seconds=seconds))
        finally:
            await prometheus.close()


async def test_it_waits_over_empty_answers_and_numbers_that_do_not_fit() -> None:
    outcome = await wait_until(FakeSeries(None, "NaN", "1", "4"), seconds=30)
    assert outcome.result is Result.SUCCEEDED


async def test_what_does_not_come_true_in_time_is_said() -> None:
    outcome = await wait_until(FakeSeries("1"), seconds=0.2)
    assert outcome.result is Result.TIMED_OUT
    assert outcome.summary == "x is above 3 did not come true in time: saw [1.0]"
    assert "final" not in outcome.evidence  # the next round looks anew, and may choose otherwise


async def test_what_is_asked_more_rarely_than_there_is_time_is_asked_once_and_said() -> None:
    outcome = await wait_until(FakeSeries("1"), seconds=0.005)
    assert outcome.summary.endswith("saw [1.0]")
