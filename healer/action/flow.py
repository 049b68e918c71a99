"""flow.wait and flow.wait-until: let time pass, or wait for a number. They change nothing."""

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from healer.action.contract import StepContext, Undo
from healer.action.param import Params
from healer.client.prometheus import Prometheus
from healer.errors import TemporaryError
from healer.kit.clock import Clock
from healer.kit.duration import Duration, format_duration
from healer.model.effect import Effect, Permission
from healer.model.outcome import Outcome, Result


class WaitParams(Params):
    """How long; the step's timeout must be longer."""

    for_: Duration = Field(alias="for")


class Wait:
    """Lets time pass. The exemplary action: nothing but the contract."""

    name = "flow.wait"
    effect = Effect.NONE
    params = WaitParams

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def permissions(self, params: WaitParams, *, namespace: str) -> Sequence[Permission]:
        """None."""
        return ()

    async def prepare(self, params: WaitParams, ctx: StepContext) -> WaitParams:
        """Nothing is relative."""
        return params

    async def run(self, params: WaitParams, ctx: StepContext) -> Outcome:
        """Wait; a rehearsal only says so."""
        span = format_duration(params.for_)
        if ctx.dry_run:
            return Outcome(result=Result.SKIPPED, summary=f"would wait {span}")
        await self._clock.sleep(params.for_)
        return Outcome(result=Result.SUCCEEDED, summary=f"waited {span}")

    async def settle(self, params: WaitParams, ctx: StepContext) -> Outcome | None:
        """Nobody knows how much of it had passed, so it is waited again."""
        return Outcome(result=Result.FAILED, summary="the wait was interrupted")

    def undo(self, params: WaitParams, outcome: Outcome) -> Undo | None:
        """Time does not come back."""
        return None


class WaitUntilParams(Params):
    """Until every series of `query` is above, or below, a number; asked `every` so often."""

    query: str = Field(min_length=1)
    above: float | None = None
    below: float | None = None
    every: Duration = timedelta(seconds=5)

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if (self.above is None) == (self.below is None):
            message = "either `above` or `below`"
            raise ValueError(message)
        return self


class WaitUntil:
    """Waits for a number. An empty answer, NaN or a Prometheus that is away is no answer."""

    name = "flow.wait-until"
    effect = Effect.NONE
    params = WaitUntilParams

    def __init__(self, prometheus: Prometheus, *, clock: Clock) -> None:
        self._prometheus = prometheus
        self._clock = clock

    def permissions(self, params: WaitUntilParams, *, namespace: str) -> Sequence[Permission]:
        """None in Kubernetes."""
        return ()

    async def prepare(self, params: WaitUntilParams, ctx: StepContext) -> WaitUntilParams:
        """Nothing is relative."""
        return params

    async def run(self, params: WaitUntilParams, ctx: StepContext) -> Outcome:
        """Ask until it holds or the step's time is up; in vain, the next round looks anew."""
        if ctx.dry_run:
            summary = f"would wait until {_wish(params)}"
            return Outcome(result=Result.SKIPPED, summary=summary)
        seen = "nothing was seen"
        while True:
            try:
                values = await self._values(params)
            except TemporaryError as error:
                seen = str(error)
            else:
                seen = f"saw {values}" if values else "Prometheus knows no such series"
                if values and all(_fits(params, value) for value in values):
                    return Outcome(result=Result.SUCCEEDED, summary=f"{_wish(params)}: {seen}")
            if self._clock.now() + params.every >= ctx.deadline:  # to say what was seen last
                summary = f"{_wish(params)} did not come true in time: {seen}"
                return Outcome(result=Result.TIMED_OUT, summary=summary)
            await self._clock.sleep(params.every)

    async def settle(self, params: WaitUntilParams, ctx: StepContext) -> Outcome | None:
        """Whether it came true is simply asked again."""
        return Outcome(result=Result.FAILED, summary="the wait was interrupted")

    def undo(self, params: WaitUntilParams, outcome: Outcome) -> Undo | None:
        """Waiting has nothing to take back."""
        return None

    async def _values(self, params: WaitUntilParams) -> list[float]:
        reading = await self._prometheus.query(params.query)
        return [one.last for one in reading.series if not math.isnan(one.last)]


def _fits(params: WaitUntilParams, value: float) -> bool:
    if params.above is not None:
        return value > params.above
    return params.below is not None and value < params.below


def _wish(params: WaitUntilParams) -> str:
    bound = f"above {params.above:g}" if params.above is not None else f"below {params.below:g}"
    return f"{params.query} is {bound}"
