"""kubernetes.exec as a check: what a command says. That it changes nothing is up to its author."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from healer.check.contract import CheckContext, Kinds
from healer.check.param import ObjectName, Params
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.container import Pod
from healer.client.kubernetes.permission import allow
from healer.errors import TemporaryError
from healer.kit.duration import Duration
from healer.model.effect import Permission
from healer.model.outcome import Finding

_SHOWN = 4000


class ExecParams(Params):
    """The command word by word: no shell is between.

    Without `pod`, the first that is ready; where none is, the first that runs.
    """

    command: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]
    pod: ObjectName | None = None
    timeout: Duration = timedelta(seconds=10)


class Exec:
    """Holds if the exit code is 0. Evidence: exit_code, stdout, stderr, pod."""

    name = "kubernetes.exec"
    params = ExecParams
    evidence = Kinds({"exit_code": int, "stdout": str, "stderr": str, "pod": str})

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._pods = kubernetes.pods

    def permissions(self, params: ExecParams, *, namespace: str) -> Sequence[Permission]:
        """Newer Kubernetes asks `create` for an exec over a WebSocket, older ones `get`."""
        return (
            *allow(namespace, "pods", "list"),
            *allow(namespace, "pods/exec", "create", "get"),
        )

    async def look(self, params: ExecParams, ctx: CheckContext) -> Finding:
        """Run it once."""
        pod = await self._pod(params, ctx)
        done = await self._pods.exec(
            ctx.target.namespace, pod, command=params.command, timeout=params.timeout
        )
        words = " ".join(params.command)
        return Finding(
            check=ctx.id,
            holds=done.exit_code == 0,
            summary=f"{words!r} in pod {pod.name} ended with {done.exit_code}",
            evidence={
                "exit_code": done.exit_code,
                "stdout": done.stdout[:_SHOWN],
                "stderr": done.stderr[:_SHOWN],
                "pod": pod.name,
            },
        )

    async def _pod(self, params: ExecParams, ctx: CheckContext) -> Pod:
        """One of the service's own, whatever its name says."""
        pods = await self._pods.select(ctx.target.namespace, ctx.service.selector)
        if params.pod is None:
            running = sorted((pod for pod in pods if _runs(pod)), key=lambda pod: not pod.ready)
            if running:
                return running[0]
        for pod in pods:
            if pod.name == params.pod:
                return pod
        wanted = params.pod or "that runs"
        message = f"{ctx.target.namespace} has no pod {wanted} among those of {ctx.service.name}"
        raise TemporaryError(message)


def _runs(pod: Pod) -> bool:
    return pod.status.phase == "Running" and not pod.leaving
