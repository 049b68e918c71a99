"""kubernetes.exec: run a command in one pod, for what no API can do."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from healer.action.contract import StepContext, Undo
from healer.action.kubernetes.choice import Select, find_pod
from healer.action.param import ObjectName, Params
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.exec import Executed
from healer.client.kubernetes.permission import allow
from healer.errors import PermanentError
from healer.kit.clock import Clock
from healer.model.effect import Effect, Permission
from healer.model.outcome import Evidence, Outcome, Result

_SHOWN = 2000


class ExecParams(Params):
    """The command word by word: no shell is between. Without `pod`, the first that is ready."""

    command: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]
    pod: ObjectName | None = None
    uid: str | None = None


class Exec:
    """Nobody can tell afterwards what a command did: it is never tried again after a crash."""

    name = "kubernetes.exec"
    effect = Effect.DISRUPTIVE
    params = ExecParams

    def __init__(self, kubernetes: Kubernetes, *, clock: Clock) -> None:
        self._pods = kubernetes.pods
        self._clock = clock

    def permissions(self, params: ExecParams, *, namespace: str) -> Sequence[Permission]:
        """Kubernetes before 1.36 asks `get` for an exec over a WebSocket, later ones `create`."""
        return (
            *allow(namespace, "pods", "get", "list"),
            *allow(namespace, "pods/exec", "create", "get"),
        )

    async def prepare(self, params: ExecParams, ctx: StepContext) -> ExecParams:
        """Choose the pod."""
        if params.uid is not None:
            return params
        pod = await find_pod(self._pods, ctx, name=params.pod, select=Select.READY)
        return params.model_copy(update={"pod": pod.name, "uid": pod.metadata.uid})

    async def run(self, params: ExecParams, ctx: StepContext) -> Outcome:
        """A code other than 0 is a failure."""
        if params.pod is None:
            message = "the pod was never chosen"
            raise PermanentError(message)
        if ctx.dry_run:
            summary = f"would run {' '.join(params.command)!r} in pod {params.pod}"
            return Outcome(result=Result.SKIPPED, summary=summary)
        namespace = ctx.target.namespace
        pod = await self._pods.get(namespace, params.pod)
        if pod.metadata.uid != params.uid:
            message = f"pod {params.pod} is another one now: the command was not run"
            raise PermanentError(message)
        left = max(ctx.deadline - self._clock.now(), timedelta(seconds=1))
        done = await self._pods.exec(namespace, pod, command=params.command, timeout=left)
        return _outcome(params, done)

    async def settle(self, params: ExecParams, ctx: StepContext) -> Outcome | None:
        """Unknown."""
        return None

    def undo(self, params: ExecParams, outcome: Outcome) -> Undo | None:
        """Unknown as well."""
        return None


def _outcome(params: ExecParams, done: Executed) -> Outcome:
    summary = f"{' '.join(params.command)!r} in pod {params.pod} ended with {done.exit_code}"
    if done.exit_code and done.stderr.strip():
        summary += f": {done.stderr.strip().splitlines()[-1][:300]}"
    evidence: Evidence = {
        "pod": params.pod or "",
        "exit_code": done.exit_code,
        "stdout": done.stdout[:_SHOWN],
        "stderr": done.stderr[:_SHOWN],
    }
    result = Result.FAILED if done.exit_code else Result.SUCCEEDED
    return Outcome(result=result, summary=summary, evidence=evidence)
