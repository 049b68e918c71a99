"""inference.breaker-reset: close circuit breakers that are open; new failures open them again."""

from collections.abc import Mapping, Sequence
from typing import Any

from healer.action.contract import StepContext, Undo
from healer.action.inference.server import running_pods, server_of
from healer.action.param import Params
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.permission import allow
from healer.model.effect import Effect, Permission
from healer.model.outcome import Evidence, Outcome, Result


class BreakerResetParams(Params):
    """It needs none: every open breaker of the service's servers is closed."""


class BreakerReset:
    """That what it protects works again is the playbook's condition, not asked here."""

    name = "inference.breaker-reset"
    effect = Effect.REVERSIBLE
    params = BreakerResetParams

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._pods = kubernetes.pods

    def permissions(self, params: BreakerResetParams, *, namespace: str) -> Sequence[Permission]:
        """Finding the pods and speaking to them through the API server."""
        return (
            *allow(namespace, "pods", "list"),
            *allow(namespace, "pods/proxy", "get", "create"),
        )

    async def prepare(self, params: BreakerResetParams, ctx: StepContext) -> BreakerResetParams:
        """Nothing is relative."""
        return params

    async def run(self, params: BreakerResetParams, ctx: StepContext) -> Outcome:
        """Reset those that are open; closing a closed one is left out."""
        tripped = await self._tripped(ctx)
        if not ctx.dry_run:
            for pod in tripped:
                await server_of(self._pods, pod, ctx).reset_breaker()
        what = f"the circuit breaker of {len(tripped)} pods"
        evidence: Evidence = {"pods": tripped}
        if ctx.dry_run:
            return Outcome(result=Result.SKIPPED, summary=f"would reset {what}", evidence=evidence)
        return Outcome(result=Result.SUCCEEDED, summary=f"reset {what}", evidence=evidence)

    async def settle(self, params: BreakerResetParams, ctx: StepContext) -> Outcome | None:
        """Done if none is open; one that is open may have opened anew, and may be reset again."""
        tripped = await self._tripped(ctx)
        if tripped:
            summary = f"the circuit breaker of {len(tripped)} pods is still open"
            return Outcome(result=Result.FAILED, summary=summary)
        return Outcome(result=Result.SUCCEEDED, summary="all circuit breakers are closed")

    def undo(self, params: BreakerResetParams, outcome: Outcome) -> Undo | None:
        """A breaker opens by itself where it must."""
        return None

    async def _tripped(self, ctx: StepContext) -> list[str]:
        return [
            pod.name
            for pod in await running_pods(self._pods, ctx)
            if _any_open(await server_of(self._pods, pod.name, ctx).breakers())
        ]


def _any_open(told: Mapping[str, Any]) -> bool:
    breakers: list[Any] = [one for one in told.values() if isinstance(one, dict)]
    return any(one.get("state") != "closed" for one in breakers)
