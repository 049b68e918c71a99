"""The disk that a check asks about: that of one of the service's own pods."""

from collections.abc import Sequence

from healer.check.contract import CheckContext
from healer.client.disk.folder import Disk
from healer.client.disk.whose import holder_of
from healer.client.kubernetes.permission import allow
from healer.client.kubernetes.pod import Pods
from healer.model.effect import Permission


async def disk_of(pods: Pods, ctx: CheckContext, *, pod: str | None) -> Disk:
    """The disk of that pod, or of any where all share one volume."""
    namespace = ctx.target.namespace
    found = await pods.select(namespace, ctx.service.selector)
    chosen = holder_of(found, name=pod, whose=str(ctx.target))
    return Disk(pods, namespace=namespace, pod=chosen)


def disk_permissions(namespace: str) -> Sequence[Permission]:
    """Finding the pod, and running a program there."""
    return (
        *allow(namespace, "pods", "list"),
        *allow(namespace, "pods/exec", "create", "get"),
    )
