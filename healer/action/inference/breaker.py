"""inference.breaker-reset: close circuit breakers over what works; failures open them anew."""

from collections.abc import Sequence

from healer.action.contract import StepContext, Undo
from healer.action.inference.server import running_pods, server_of
from healer.action.param import Params
from healer.client.circuit import Circuit
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.permission import allow
from healer.model.effect import Effect, Permission
from healer.model.outcome import Evidence, Outcome, Result


class BreakerResetParams(Params):
    """It needs none: every open breaker of the service's servers is closed."""


class BreakerReset:
    """Whether what it protects works is the playbook's condition, and is asked here once more.

    Over something broken a reset would send every request into it.
    """

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
        """Reset those that are open; closing a closed one is left out. All or none."""
        tripped = await self._tripped(ctx)
        broken = next((row for row in tripped if not row[1].works), None)
        if broken is not None:
            return Outcome(result=Result.FAILED, summary=_refusal(*broken))
        pods = sorted({pod for pod, _ in tripped})
        if not ctx.dry_run:
            for pod in pods:
                await server_of(self._pods, pod, ctx).reset_breaker()
        what = f"the circuit breaker of {len(pods)} pods"
        evidence: Evidence = {"pods": pods}
        if ctx.dry_run:
            return Outcome(result=Result.SKIPPED, summary=f"would reset {what}", evidence=evidence)
        return Outcome(result=Result.SUCCEEDED, summary=f"reset {what}", evidence=evidence)

    async def settle(self, params: BreakerResetParams, ctx: StepContext) -> Outcome | None:
        """Done if none is open; one that is open may have opened anew, and may be reset again."""
        tripped = {pod for pod, _ in await self._tripped(ctx)}
        if tripped:
            summary = f"the circuit breaker of {len(tripped)} pods is still open"
            return Outcome(result=Result.FAILED, summary=summary)
        return Outcome(result=Result.SUCCEEDED, summary="all circuit breakers are closed")

    def undo(self, params: BreakerResetParams, outcome: Outcome) -> Undo | None:
        """A breaker opens by itself where it must."""
        return None

    async def _tripped(self, ctx: StepContext) -> list[tuple[str, Circuit]]:
        return [
            (pod.name, circuit)
            for pod in await running_pods(self._pods, ctx)
            for circuit in await server_of(self._pods, pod.name, ctx).circuits()
            if not circuit.closed
        ]


def _refusal(pod: str, circuit: Circuit) -> str:
    complaint = f" ({circuit.complaint})" if circuit.complaint else ""
    return (
        f"nothing was reset: what breaker {circuit.name} of pod {pod} protects is "
        f"{circuit.dependency}{complaint}"
    )
