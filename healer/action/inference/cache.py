"""inference.cache-evict: delete old files of the cache on the SSD, by the server's own hand."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from healer.action.contract import StepContext, Undo
from healer.action.param import Params
from healer.client.inference import Evicted, Inference, one_per_volume
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.container import Pod
from healer.client.kubernetes.permission import allow
from healer.errors import TemporaryError
from healer.kit.duration import Duration, format_duration
from healer.model.effect import Effect, Permission
from healer.model.outcome import Evidence, Outcome, Result


class CacheEvictParams(Params):
    """`older_than` is the age in days or hours from which a file may go: "7d"."""

    older_than: Annotated[Duration, Field(ge=timedelta(minutes=1))]


class CacheEvict:
    """Asks one pod of every shared volume, and every pod that has a volume of its own."""

    name = "inference.cache-evict"
    effect = Effect.REVERSIBLE
    params = CacheEvictParams

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._pods = kubernetes.pods

    def permissions(self, params: CacheEvictParams, *, namespace: str) -> Sequence[Permission]:
        """Finding the pods and talking to them through the API server."""
        return (
            *allow(namespace, "pods", "list"),
            *allow(namespace, "pods/proxy", "get", "create"),
        )

    async def prepare(self, params: CacheEvictParams, ctx: StepContext) -> CacheEvictParams:
        """Nothing is relative: age is counted by the server when it deletes."""
        return params

    async def run(self, params: CacheEvictParams, ctx: StepContext) -> Outcome:
        """Delete, or on a dry run count. Doing it twice deletes nothing more."""
        pods = await self._volumes(ctx)
        done = [await self._evict(pod, params, ctx) for pod in pods]
        files, size = sum(one.files for one in done), sum(one.bytes for one in done)
        what = f"{files} cache files ({size} bytes) older than {format_duration(params.older_than)}"
        evidence: Evidence = {"files": files, "bytes": size, "pods": [pod.name for pod in pods]}
        if ctx.dry_run:
            return Outcome(result=Result.SKIPPED, summary=f"would delete {what}", evidence=evidence)
        return Outcome(result=Result.SUCCEEDED, summary=f"deleted {what}", evidence=evidence)

    async def settle(self, params: CacheEvictParams, ctx: StepContext) -> Outcome | None:
        """Done if nothing is left that is old enough; else not done, or not wholly."""
        age = format_duration(params.older_than)
        left = 0
        for pod in await self._volumes(ctx):
            usage = await self._server(pod, ctx).cache(params.older_than)
            left += usage.old_files
        if left:
            summary = f"{left} cache files older than {age} are still there"
            return Outcome(result=Result.FAILED, summary=summary)
        summary = f"no cache file older than {age} is left"
        return Outcome(result=Result.SUCCEEDED, summary=summary)

    def undo(self, params: CacheEvictParams, outcome: Outcome) -> Undo | None:
        """What was deleted is made again by use; nothing has to be taken back."""
        return None

    async def _volumes(self, ctx: StepContext) -> list[Pod]:
        pods = await self._pods.select(ctx.target.namespace, ctx.service.selector)
        chosen = one_per_volume(pods)
        if not chosen:
            message = f"no pod of {ctx.target} is ready: nobody can be asked to delete"
            raise TemporaryError(message)
        return chosen

    async def _evict(self, pod: Pod, params: CacheEvictParams, ctx: StepContext) -> Evicted:
        return await self._server(pod, ctx).evict_cache(params.older_than, dry_run=ctx.dry_run)

    def _server(self, pod: Pod, ctx: StepContext) -> Inference:
        return Inference(
            self._pods,
            namespace=ctx.target.namespace,
            pod=pod.name,
            endpoint=ctx.service.inference,
        )
