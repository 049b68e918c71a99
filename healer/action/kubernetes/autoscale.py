"""kubernetes.autoscale: the bounds of the autoscaler. Both equal freeze it; undo thaws it."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from healer.action.contract import StepContext, Undo
from healer.action.kubernetes.workload import deployment_of
from healer.action.param import Params
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.object import Autoscaler
from healer.client.kubernetes.permission import allow
from healer.errors import PermanentError
from healer.model.effect import Effect, Permission
from healer.model.outcome import Evidence, Outcome, Result

_CHANGE = re.compile(r"(?P<sign>[+*-])(?P<amount>[1-9][0-9]{0,3})")


def _check(value: int | str) -> int | str:
    if isinstance(value, int):
        if value < 1:
            message = f"an autoscaler's bound is at least 1, not {value}"
            raise ValueError(message)
        return value
    if value.isascii() and value.isdigit():
        return _check(int(value))
    if not _CHANGE.fullmatch(value):
        message = f"a bound is a number like 8, or a change like '+2', '-1' or '*2', not {value!r}"
        raise ValueError(message)
    return value


Bound = Annotated[int | str, AfterValidator(_check)]


class AutoscaleParams(Params):
    """`min` and `max` as numbers or changes; what is left out stays. `at_most` bounds both.

    The rest is written by `prepare`: the autoscaler's name, and its bounds before.
    """

    min: Bound | None = None
    max: Bound | None = None
    at_most: Annotated[int, Field(ge=1)] | None = None
    autoscaler: str | None = None
    previous: Mapping[str, int] | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.min is None and self.max is None:
            message = "say `min`, `max` or both"
            raise ValueError(message)
        return self


class Autoscale:
    """As `kubectl autoscale` would set it, on the autoscaler that is there."""

    name = "kubernetes.autoscale"
    effect = Effect.REVERSIBLE
    params = AutoscaleParams

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._workloads = kubernetes.workloads

    def permissions(self, params: AutoscaleParams, *, namespace: str) -> Sequence[Permission]:
        """Finding, reading and patching autoscalers."""
        return allow(namespace, "horizontalpodautoscalers", "get", "list", "patch")

    async def prepare(self, params: AutoscaleParams, ctx: StepContext) -> AutoscaleParams:
        """Make both bounds absolute, and remember what they were."""
        if params.previous is not None:
            return params
        found = await self._workloads.autoscaler_of(*deployment_of(ctx))
        if found is None:
            message = f"no autoscaler rules {ctx.target}"
            raise PermanentError(message)
        before = _bounds(found)
        least = _absolute(params.min, before["minReplicas"], params.at_most)
        most = _absolute(params.max, before["maxReplicas"], params.at_most)
        if least > most:
            message = f"a minimum of {least} is above the maximum of {most}"
            raise PermanentError(message)
        if {"minReplicas": least, "maxReplicas": most} == before:
            message = (
                f"autoscaler {found.metadata.name} has these bounds already: {least} to {most}"
            )
            raise PermanentError(message)
        return params.model_copy(
            update={
                "min": least,
                "max": most,
                "autoscaler": found.metadata.name,
                "previous": before,
            }
        )

    async def run(self, params: AutoscaleParams, ctx: StepContext) -> Outcome:
        """Set both at once, so that they never cross."""
        name, wanted = _final(params)
        await self._workloads.set_bounds(ctx.target.namespace, name, wanted, dry_run=ctx.dry_run)
        return _outcome(params, ctx)

    async def settle(self, params: AutoscaleParams, ctx: StepContext) -> Outcome | None:
        """Done if they are as wanted, not done if as before; else somebody else was here."""
        name, wanted = _final(params)
        now = _bounds(await self._workloads.autoscaler(ctx.target.namespace, name))
        if now == wanted:
            return _outcome(params, ctx)
        if now == params.previous:
            summary = f"the bounds of autoscaler {name} are unchanged"
            return Outcome(result=Result.FAILED, summary=summary)
        return None

    def undo(self, params: AutoscaleParams, outcome: Outcome) -> Undo | None:
        """Both bounds as they were."""
        if params.previous is None or outcome.result is Result.SKIPPED:
            return None
        _, wanted = _final(params)
        before = params.previous
        back = params.model_copy(
            update={
                "min": before["minReplicas"],
                "max": before["maxReplicas"],
                "at_most": None,
                "previous": wanted,
            }
        )
        return Undo(action=self.name, params=back)


def _bounds(found: Autoscaler) -> dict[str, int]:
    return {"minReplicas": found.spec.min_replicas, "maxReplicas": found.spec.max_replicas}


def _absolute(bound: int | str | None, now: int, at_most: int | None) -> int:
    """What is there already may be above `at_most`; what is asked for may not."""
    wanted = now if bound is None else _wanted(bound, now)
    if at_most is None or wanted <= max(now, at_most):
        return wanted
    return max(now, at_most)


def _wanted(bound: int | str, now: int) -> int:
    if isinstance(bound, int):
        return bound
    sign, amount = bound[0], int(bound[1:])
    return {"+": now + amount, "-": max(1, now - amount), "*": now * amount}[sign]


def _final(params: AutoscaleParams) -> tuple[str, dict[str, int]]:
    if (
        params.autoscaler is None
        or not isinstance(params.min, int)
        or not isinstance(params.max, int)
    ):
        message = "the bounds were never made absolute"
        raise PermanentError(message)
    return params.autoscaler, {"minReplicas": params.min, "maxReplicas": params.max}


def _outcome(params: AutoscaleParams, ctx: StepContext) -> Outcome:
    before = params.previous or {}
    change = f"the bounds of autoscaler {params.autoscaler} from {before.get('minReplicas')}.."
    change += f"{before.get('maxReplicas')} to {params.min}..{params.max}"
    evidence: Evidence = {
        "autoscaler": params.autoscaler or "",
        "min": params.min,
        "max": params.max,
    }
    if ctx.dry_run:
        return Outcome(result=Result.SKIPPED, summary=f"would set {change}", evidence=evidence)
    return Outcome(result=Result.SUCCEEDED, summary=f"set {change}", evidence=evidence)
