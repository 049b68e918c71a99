"""inference.model-restore: put bad files of the model right from its backup, by the server's hand.

The server copies beside the old files and checks before it replaces; it refuses an unsound backup.
"""

from collections.abc import Sequence
from datetime import timedelta

from healer.action.contract import StepContext, Undo
from healer.action.inference.server import server_of
from healer.action.param import Params
from healer.client.inference import Restored, one_running_per_volume
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.container import Pod
from healer.client.kubernetes.permission import allow
from healer.errors import StepTimeoutError, TemporaryError
from healer.kit.clock import Clock
from healer.model.effect import Effect, Permission
from healer.model.outcome import Evidence, Outcome, Result

_EVERY = timedelta(seconds=2)


class ModelRestoreParams(Params):
    """It needs none: each server knows its model and its backup."""


class ModelRestore:
    """Asks one server of every volume, ready or not. What is served meanwhile is not touched."""

    name = "inference.model-restore"
    effect = Effect.REVERSIBLE
    params = ModelRestoreParams

    def __init__(self, kubernetes: Kubernetes, *, clock: Clock) -> None:
        self._pods = kubernetes.pods
        self._clock = clock

    def permissions(self, params: ModelRestoreParams, *, namespace: str) -> Sequence[Permission]:
        """Finding the pods and talking to them through the API server."""
        return (
            *allow(namespace, "pods", "list"),
            *allow(namespace, "pods/proxy", "get", "create"),
        )

    async def prepare(self, params: ModelRestoreParams, ctx: StepContext) -> ModelRestoreParams:
        """Nothing is relative."""
        return params

    async def run(self, params: ModelRestoreParams, ctx: StepContext) -> Outcome:
        """Restore, or on a dry run say what that would do. Doing it twice restores nothing more."""
        pods = await self._volumes(ctx)
        done = [await self._restore(pod, ctx) for pod in pods]
        files = sorted({name for one in done for name in one.files})
        size = sum(one.bytes for one in done)
        evidence: Evidence = {"files": files, "bytes": size, "pods": [pod.name for pod in pods]}
        what = f"{', '.join(files) or 'nothing'} ({size} bytes) from the backup"
        if ctx.dry_run:
            summary = f"would restore {what}"
            return Outcome(result=Result.SKIPPED, summary=summary, evidence=evidence)
        return Outcome(result=Result.SUCCEEDED, summary=f"restored {what}", evidence=evidence)

    async def settle(self, params: ModelRestoreParams, ctx: StepContext) -> Outcome | None:
        """Done if every model is sound; else not done, and to do it again does no harm."""
        for pod in await self._volumes(ctx):
            found = await server_of(self._pods, pod.name, ctx).model_files()
            if not found.sound:
                summary = f"the model of pod {pod.name} is not sound: {found.faults[0]}"
                return Outcome(result=Result.FAILED, summary=summary)
        return Outcome(result=Result.SUCCEEDED, summary="every byte of the model is as sealed")

    def undo(self, params: ModelRestoreParams, outcome: Outcome) -> Undo | None:
        """Nobody wants the bad files back; they lie beside the good ones under another name."""
        return None

    async def _volumes(self, ctx: StepContext) -> list[Pod]:
        pods = await self._pods.select(ctx.target.namespace, ctx.service.selector)
        chosen = one_running_per_volume(pods)
        if not chosen:
            message = f"no pod of {ctx.target} runs: nobody can be asked to restore"
            raise TemporaryError(message)
        return chosen

    async def _restore(self, pod: Pod, ctx: StepContext) -> Restored:
        server = server_of(self._pods, pod.name, ctx)
        while self._clock.now() < ctx.deadline:
            done = await server.restore_model(dry_run=ctx.dry_run)
            if done is not None:
                return done
            await self._clock.sleep(_EVERY)
        message = f"pod {pod.name} has not restored its model in time, and goes on with it"
        raise StepTimeoutError(message)
