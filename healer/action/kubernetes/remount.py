"""kubernetes.remount: make a volume of the pods writable again that their kernel turned read-only.

A file system that was turned read-only has seen errors: to write to it again may cost data. And it
needs a container that may mount, which few are. So it is privileged.
"""

from collections.abc import Sequence
from typing import Annotated

from pydantic import StringConstraints

from healer.action.contract import StepContext, Undo
from healer.action.param import Params
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.container import Pod
from healer.client.kubernetes.mount import PATIENCE, mount_of
from healer.client.kubernetes.permission import allow
from healer.errors import PermanentError
from healer.model.effect import Effect, Permission
from healer.model.outcome import Evidence, Outcome, Result


class RemountParams(Params):
    """`path` as the container knows it. `prepare` writes down in which pods it is read-only: by
    name, the uid of each.
    """

    path: Annotated[str, StringConstraints(pattern=r"^/[^\s\"'\\]*$")]
    pods: dict[str, str] | None = None


class Remount:
    """`mount -o remount,rw PATH` in each pod where it is read-only. Never again when it failed."""

    name = "kubernetes.remount"
    effect = Effect.PRIVILEGED
    params = RemountParams

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._pods = kubernetes.pods

    def permissions(self, params: RemountParams, *, namespace: str) -> Sequence[Permission]:
        """Kubernetes before 1.36 asks `get` for an exec over a WebSocket, later ones `create`."""
        return (
            *allow(namespace, "pods", "list"),
            *allow(namespace, "pods/exec", "create", "get"),
        )

    async def prepare(self, params: RemountParams, ctx: StepContext) -> RemountParams:
        """Find the pods; where it can be written to everywhere there is nothing to do."""
        if params.pods is not None:
            return params
        sick = {pod.name: pod.metadata.uid for pod in await self._read_only(params, ctx)}
        if not sick:
            message = f"{params.path} is read-only in no pod of {ctx.target}: nothing to remount"
            raise PermanentError(message)
        return params.model_copy(update={"pods": sick})

    async def run(self, params: RemountParams, ctx: StepContext) -> Outcome:
        """One pod after the other; the first that fails ends it."""
        wanted = params.pods or {}
        what = f"{params.path} in {', '.join(wanted)}"
        evidence: Evidence = {"path": params.path, "pods": list(wanted)}
        if ctx.dry_run:
            summary = f"would remount {what}, writable"
            return Outcome(result=Result.SKIPPED, summary=summary, evidence=evidence)
        for pod in await self._chosen(wanted, ctx):
            if failed := await self._remount(params.path, pod, ctx):
                return failed
        return Outcome(
            result=Result.SUCCEEDED, summary=f"remounted {what}, writable", evidence=evidence
        )

    async def settle(self, params: RemountParams, ctx: StepContext) -> Outcome | None:
        """The kernel knows: writable everywhere is done, read-only in all of them is not done."""
        sick = {pod.name for pod in await self._read_only(params, ctx)}
        if not sick:
            summary = f"{params.path} can be written to"
            return Outcome(result=Result.SUCCEEDED, summary=summary)
        if sick >= set(params.pods or {}):
            summary = f"{params.path} is still read-only in {', '.join(sorted(sick))}"
            return Outcome(result=Result.FAILED, summary=summary)
        return None

    def undo(self, params: RemountParams, outcome: Outcome) -> Undo | None:
        """Nobody wants a volume read-only; its kernel turns it so again where it must."""
        return None

    async def _read_only(self, params: RemountParams, ctx: StepContext) -> list[Pod]:
        found: list[Pod] = []
        for pod in await self._running(ctx):
            mount = await mount_of(self._pods, ctx.target.namespace, pod, params.path)
            if mount is not None and mount.read_only:
                found.append(pod)
        return found

    async def _running(self, ctx: StepContext) -> list[Pod]:
        pods = await self._pods.select(ctx.target.namespace, ctx.service.selector)
        return [pod for pod in pods if pod.status.phase == "Running" and not pod.leaving]

    async def _chosen(self, wanted: dict[str, str], ctx: StepContext) -> list[Pod]:
        """Those that are still the same; one that is gone meanwhile needs nothing."""
        return [pod for pod in await self._running(ctx) if wanted.get(pod.name) == pod.metadata.uid]

    async def _remount(self, path: str, pod: Pod, ctx: StepContext) -> Outcome | None:
        command = ("mount", "-o", "remount,rw", path)
        namespace = ctx.target.namespace
        done = await self._pods.exec(namespace, pod, command=command, timeout=PATIENCE)
        if done.exit_code == 0:
            return None
        why = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.exit_code}"]
        summary = f"{path} of pod {pod.name} was not remounted: {why[0][:300]}"
        return Outcome(result=Result.FAILED, summary=summary, evidence={"final": True})
