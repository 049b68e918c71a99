"""kubernetes.scale: more or fewer replicas, through the autoscaler where one rules."""

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field

from healer.action.contract import StepContext, Undo
from healer.action.kubernetes.workload import deployment_of
from healer.action.param import Params
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.object import Autoscaler
from healer.client.kubernetes.permission import allow
from healer.errors import PermanentError
from healer.model.effect import Effect, Permission
from healer.model.outcome import Evidence, Outcome, Result

_RELATIVE = re.compile(r"[+-][0-9]{1,4}")


def _check(value: int | str) -> int | str:
    if isinstance(value, int):
        if value < 0:
            message = f"a number of replicas cannot be negative; write {str(value)!r} to take away"
            raise ValueError(message)
        return value
    if value.isascii() and value.isdigit():
        return int(value)
    if not _RELATIVE.fullmatch(value):
        message = f"replicas is a number like 8, or a change like '+2' or '-1', not {value!r}"
        raise ValueError(message)
    return value


class ScaleParams(Params):
    """`replicas` is a number, or "+2". `at_most` bounds it where no autoscaler does.

    The rest is written by `prepare`: with an autoscaler, `replicas` and `previous` are its
    minimum; without one, those of the deployment.
    """

    replicas: Annotated[int | str, AfterValidator(_check)]
    at_most: Annotated[int, Field(ge=1)] | None = None
    autoscaler: str | None = None
    previous: int | None = None


class Scale:
    """A manual scale is undone by an autoscaler within seconds: so its minimum is raised."""

    name = "kubernetes.scale"
    effect = Effect.REVERSIBLE
    params = ScaleParams

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._workloads = kubernetes.workloads

    def permissions(self, params: ScaleParams, *, namespace: str) -> Sequence[Permission]:
        """Which of the two ways is taken is known only then, so both are asked for."""
        return (
            *allow(namespace, "deployments/scale", "get", "patch"),
            *allow(namespace, "horizontalpodautoscalers", "get", "list", "patch"),
        )

    async def prepare(self, params: ScaleParams, ctx: StepContext) -> ScaleParams:
        """Make it absolute, inside the bounds, and remember what was."""
        if params.previous is not None:
            return params
        namespace, name = deployment_of(ctx)
        now = (await self._workloads.scale(namespace, name)).spec.replicas
        autoscaler = await self._workloads.autoscaler_of(namespace, name)
        wanted = _absolute(params.replicas, now)
        if autoscaler:
            return _ruled(params, autoscaler, now=now, wanted=wanted)
        if params.at_most is not None:
            wanted = min(wanted, params.at_most)
        if wanted == now or (wanted < now) != (_absolute(params.replicas, now) < now):
            message = f"{ctx.target} has {now} replicas already: nothing is gained by {wanted}"
            raise PermanentError(message)
        return params.model_copy(update={"replicas": wanted, "previous": now})

    async def run(self, params: ScaleParams, ctx: StepContext) -> Outcome:
        """Set it; on a dry run let the API server say whether it would."""
        namespace, name = deployment_of(ctx)
        wanted = _final(params)
        if params.autoscaler:
            await self._workloads.set_bounds(
                namespace, params.autoscaler, {"minReplicas": wanted}, dry_run=ctx.dry_run
            )
        else:
            await self._workloads.set_scale(namespace, name, wanted, dry_run=ctx.dry_run)
        return _outcome(params, ctx)

    async def settle(self, params: ScaleParams, ctx: StepContext) -> Outcome | None:
        """Done if it is as wanted, not done if it is as before; else somebody else was here."""
        namespace, name = deployment_of(ctx)
        if params.autoscaler:
            found = await self._workloads.autoscaler(namespace, params.autoscaler)
            now = found.spec.min_replicas
        else:
            now = (await self._workloads.scale(namespace, name)).spec.replicas
        if now == params.replicas:
            return _outcome(params, ctx)
        if now == params.previous:
            return Outcome(result=Result.FAILED, summary=f"{_what(params, ctx)} stayed at {now}")
        return None

    def undo(self, params: ScaleParams, outcome: Outcome) -> Undo | None:
        """Put the old number back."""
        if params.previous is None or outcome.result is Result.SKIPPED:
            return None
        back = params.model_copy(
            update={"replicas": params.previous, "previous": _final(params), "at_most": None}
        )
        return Undo(action=self.name, params=back)


def _absolute(replicas: int | str, now: int) -> int:
    """A change never goes below one: a service is not switched off by taking away."""
    if isinstance(replicas, int):
        return replicas
    return max(min(1, now), now + int(replicas))


def _ruled(params: ScaleParams, ruler: Autoscaler, *, now: int, wanted: int) -> ScaleParams:
    name, spec = ruler.metadata.name, ruler.spec
    bound = min(spec.max_replicas, params.at_most or spec.max_replicas)
    if wanted > now:
        if now >= bound:
            message = f"{now} replicas already: autoscaler {name} allows at most {bound}"
            raise PermanentError(message)
        wanted = min(wanted, bound)
    elif wanted >= spec.min_replicas:
        message = (
            f"{now} replicas are what autoscaler {name} wants, between {spec.min_replicas} and "
            f"{spec.max_replicas}: {wanted} cannot be had by its minimum"
        )
        raise PermanentError(message)
    return params.model_copy(
        update={
            "replicas": max(1, wanted),
            "autoscaler": name,
            "previous": spec.min_replicas,
        }
    )


def _final(params: ScaleParams) -> int:
    if isinstance(params.replicas, str):
        message = f"replicas {params.replicas!r} was never made absolute"
        raise PermanentError(message)
    return params.replicas


def _what(params: ScaleParams, ctx: StepContext) -> str:
    if params.autoscaler:
        return f"the minimum of autoscaler {params.autoscaler} of {ctx.target}"
    return f"the replicas of {ctx.target}"


def _outcome(params: ScaleParams, ctx: StepContext) -> Outcome:
    change = f"{_what(params, ctx)} from {params.previous} to {params.replicas}"
    evidence: Evidence = {
        "previous": params.previous,
        "replicas": params.replicas,
        "autoscaler": params.autoscaler or "",
    }
    if ctx.dry_run:
        return Outcome(result=Result.SKIPPED, summary=f"would set {change}", evidence=evidence)
    return Outcome(result=Result.SUCCEEDED, summary=f"set {change}", evidence=evidence)
