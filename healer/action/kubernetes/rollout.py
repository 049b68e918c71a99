"""kubernetes.rollout-status: wait until a rollout is through. It changes nothing."""

from collections.abc import Sequence
from datetime import timedelta

from healer.action.contract import StepContext, Undo
from healer.action.kubernetes.workload import deployment_of
from healer.action.param import Params
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.container import crashing
from healer.client.kubernetes.object import Deployment
from healer.client.kubernetes.permission import allow
from healer.errors import StepTimeoutError, TemporaryError
from healer.kit.clock import Clock
from healer.model.effect import Effect, Permission
from healer.model.outcome import Evidence, Outcome, Result

_EVERY = timedelta(seconds=2)


class RolloutStatusParams(Params):
    """How long it waits is the step's timeout; `until_crash` ends it when its pods crash."""

    until_crash: bool = False


class RolloutStatus:
    """As `kubectl rollout status`; ends early where Kubernetes itself has given up."""

    name = "kubernetes.rollout-status"
    effect = Effect.NONE
    params = RolloutStatusParams

    def __init__(self, kubernetes: Kubernetes, *, clock: Clock) -> None:
        self._workloads = kubernetes.workloads
        self._pods = kubernetes.pods
        self._clock = clock

    def permissions(self, params: RolloutStatusParams, *, namespace: str) -> Sequence[Permission]:
        """Reading the deployment, and its pods where they are asked for."""
        pods = allow(namespace, "pods", "list") if params.until_crash else ()
        return (*allow(namespace, "deployments", "get"), *pods)

    async def prepare(self, params: RolloutStatusParams, ctx: StepContext) -> RolloutStatusParams:
        """Nothing is relative."""
        return params

    async def run(self, params: RolloutStatusParams, ctx: StepContext) -> Outcome:
        """Look every two seconds; an API server that is away for a while is waited for."""
        namespace, name = deployment_of(ctx)
        if ctx.dry_run:
            summary = f"would wait until {ctx.target} has rolled out"
            return Outcome(result=Result.SKIPPED, summary=summary)
        progress = "nothing was seen of it"
        while self._clock.now() < ctx.deadline:
            try:
                found = await self._workloads.get(namespace, name)
            except TemporaryError as error:
                progress = str(error)
            else:
                if not found.rolling:
                    return _through(found, ctx)
                if found.stuck:
                    return _gave_up(found, ctx)
                if params.until_crash and (crashing := await self._crashing(ctx)):
                    summary = f"{ctx.target} does not come up: {crashing}"
                    return Outcome(result=Result.FAILED, summary=summary)
                progress = _progress(found)
            await self._clock.sleep(_EVERY)
        message = f"{ctx.target} has not rolled out in time: {progress}"
        raise StepTimeoutError(message)

    async def settle(self, params: RolloutStatusParams, ctx: StepContext) -> Outcome | None:
        """Through or not yet."""
        found = await self._workloads.get(*deployment_of(ctx))
        if not found.rolling:
            return _through(found, ctx)
        summary = f"{ctx.target} has not rolled out: {_progress(found)}"
        return Outcome(result=Result.FAILED, summary=summary, evidence=_evidence(found))

    async def _crashing(self, ctx: StepContext) -> str:
        """Who crashed, where one crash-loops or every one has crashed; else ''."""
        pods = await self._pods.select(ctx.target.namespace, ctx.service.selector)
        if not crashing(pods):
            return ""
        names = (pod.name for pod in pods if pod.crashed or pod.crash_looping)
        return f"{', '.join(names)} crashed"

    def undo(self, params: RolloutStatusParams, outcome: Outcome) -> Undo | None:
        """Waiting has nothing to take back."""
        return None


def _through(found: Deployment, ctx: StepContext) -> Outcome:
    summary = f"{ctx.target} has rolled out: {found.status.available_replicas} available"
    return Outcome(result=Result.SUCCEEDED, summary=summary, evidence=_evidence(found))


def _gave_up(found: Deployment, ctx: StepContext) -> Outcome:
    summary = f"Kubernetes gave up rolling out {ctx.target}: {found.stuck}; {_progress(found)}"
    return Outcome(result=Result.FAILED, summary=summary, evidence=_evidence(found))


def _progress(found: Deployment) -> str:
    wanted, status = found.spec.replicas, found.status
    return (
        f"of {wanted} wanted, {status.updated_replicas} are new, "
        f"{status.available_replicas} available, {status.replicas} there in all"
    )


def _evidence(found: Deployment) -> Evidence:
    return {
        "replicas": found.spec.replicas,
        "updated": found.status.updated_replicas,
        "available": found.status.available_replicas,
        "revision": found.revision,
    }
