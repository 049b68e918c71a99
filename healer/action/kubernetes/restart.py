"""kubernetes.rollout-restart: all pods anew, one after the other, as `kubectl rollout restart`."""

from collections.abc import Sequence

from healer.action.contract import StepContext, Undo
from healer.action.kubernetes.workload import STEP, deployment_of, refuse_paused
from healer.action.param import Params
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.permission import allow
from healer.kit.clock import Clock
from healer.model.effect import Effect, Permission
from healer.model.outcome import Outcome, Result

_RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"


class RestartParams(Params):
    """It needs none."""


class RolloutRestart:
    """Stamps the pod template; the stamp also tells after a crash that it was done."""

    name = "kubernetes.rollout-restart"
    effect = Effect.DISRUPTIVE
    params = RestartParams

    def __init__(self, kubernetes: Kubernetes, *, clock: Clock) -> None:
        self._workloads = kubernetes.workloads
        self._clock = clock

    def permissions(self, params: RestartParams, *, namespace: str) -> Sequence[Permission]:
        """Reading and patching the deployment."""
        return allow(namespace, "deployments", "get", "patch")

    async def prepare(self, params: RestartParams, ctx: StepContext) -> RestartParams:
        """Refuse what Kubernetes would take and not do."""
        refuse_paused(await self._workloads.get(*deployment_of(ctx)), ctx)
        return params

    async def run(self, params: RestartParams, ctx: StepContext) -> Outcome:
        """Stamp the template, unless an earlier try of this very step did."""
        namespace, name = deployment_of(ctx)
        if (await self._workloads.get(namespace, name)).stamps.get(STEP) == ctx.key:
            return _restarted(ctx)
        stamps = {_RESTARTED_AT: self._clock.now().isoformat(timespec="seconds"), STEP: ctx.key}
        patch = {"spec": {"template": {"metadata": {"annotations": stamps}}}}
        await self._workloads.patch(namespace, name, patch, dry_run=ctx.dry_run)
        return _restarted(ctx)

    async def settle(self, params: RestartParams, ctx: StepContext) -> Outcome | None:
        """The stamp of this step is there, or it was not done."""
        found = await self._workloads.get(*deployment_of(ctx))
        if found.stamps.get(STEP) == ctx.key:
            return _restarted(ctx)
        return Outcome(result=Result.FAILED, summary=f"{ctx.target} was not restarted")

    def undo(self, params: RestartParams, outcome: Outcome) -> Undo | None:
        """A restart cannot be taken back."""
        return None


def _restarted(ctx: StepContext) -> Outcome:
    if ctx.dry_run:
        return Outcome(result=Result.SKIPPED, summary=f"would restart {ctx.target} pod by pod")
    return Outcome(result=Result.SUCCEEDED, summary=f"{ctx.target} restarts pod by pod")
