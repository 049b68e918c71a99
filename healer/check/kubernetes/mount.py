"""kubernetes.mount: what is mounted at a path of the pods, and may it be written to."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import StringConstraints

from healer.check.contract import CheckContext, Kinds
from healer.check.gather import ask_each
from healer.check.param import Params
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.container import Pod
from healer.client.kubernetes.mount import Mount, mount_of
from healer.client.kubernetes.permission import allow
from healer.errors import HealerError, TemporaryError
from healer.model.effect import Permission
from healer.model.outcome import Finding


class MountParams(Params):
    """`path` as the container knows it: /mnt/ssd."""

    path: Annotated[str, StringConstraints(pattern=r"^/[^\s\"'\\]*$")]


class MountState:
    """Holds where it is mounted in all running pods, and can be written to in all.

    Evidence: mounted (in all), read_only (in any), source, kind and options (of the first that is
    read-only, else of the first), pods, read_only_pods (names).
    """

    name = "kubernetes.mount"
    params = MountParams
    evidence = Kinds(
        {
            **dict.fromkeys(("mounted", "read_only"), bool),
            **dict.fromkeys(("source", "kind", "options"), str),
            "pods": int,
            "read_only_pods": list[str],
        }
    )

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._pods = kubernetes.pods

    def permissions(self, params: MountParams, *, namespace: str) -> Sequence[Permission]:
        """Newer Kubernetes asks `create` for an exec over a WebSocket, older ones `get`."""
        return (
            *allow(namespace, "pods", "list"),
            *allow(namespace, "pods/exec", "create", "get"),
        )

    async def look(self, params: MountParams, ctx: CheckContext) -> Finding:
        """Ask every running pod; where one does not tell, nothing is known."""
        namespace = ctx.target.namespace
        found = await self._pods.select(namespace, ctx.service.selector)
        running = [pod for pod in found if pod.status.phase == "Running" and not pod.leaving]
        if not running:
            message = f"no pod of {ctx.service.name} runs: there is no container to look into"
            raise TemporaryError(message)

        async def question(pod: Pod) -> Mount | None:
            return await mount_of(self._pods, namespace, pod, params.path)

        mounts: dict[str, Mount | None] = {}
        for pod, answer in await ask_each(running, question):
            if isinstance(answer, HealerError):
                raise answer
            mounts[pod.name] = answer
        return _finding(params.path, mounts, ctx)


def _finding(path: str, mounts: dict[str, Mount | None], ctx: CheckContext) -> Finding:
    there = [mount for mount in mounts.values() if mount]
    sick = sorted(name for name, mount in mounts.items() if mount and mount.read_only)
    shown = max(there, key=lambda one: one.read_only, default=None)
    mounted = len(there) == len(mounts)
    summary = f"{path} is mounted and can be written to in {len(mounts)} pods"
    if not mounted:
        summary = f"{path} is no mount in {len(mounts) - len(there)} of {len(mounts)} pods"
    elif sick and shown:
        summary = f"{path} ({shown.source}, {shown.kind}) is read-only in {', '.join(sick)}"
    return Finding(
        check=ctx.id,
        holds=mounted and not sick,
        summary=summary,
        evidence={
            "mounted": mounted,
            "read_only": bool(sick),
            "source": shown.source if shown else "",
            "kind": shown.kind if shown else "",
            "options": ",".join(shown.options) if shown else "",
            "pods": len(mounts),
            "read_only_pods": sick,
        },
    )
