"""disk.usage: how full a volume is, as df reckons it, and by which of its folders."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from healer.check.contract import CheckContext, Kinds
from healer.check.disk.pod import disk_of, disk_permissions
from healer.check.param import ObjectName, Params
from healer.client.disk.place import Folder
from healer.client.kubernetes.cluster import Kubernetes
from healer.kit.duration import Duration
from healer.kit.quantity import format_bytes
from healer.model.effect import Permission
from healer.model.outcome import Finding


class UsageParams(Params):
    """With `largest: 0` no folder is measured, which is quick however much lies there."""

    volume: Folder
    largest: Annotated[int, Field(ge=0, le=50)] = 0
    pod: ObjectName | None = None
    timeout: Duration = timedelta(seconds=15)


class Usage:
    """Holds if it could look. Evidence: used_share, used_bytes, total_bytes, largest (names)."""

    name = "disk.usage"
    params = UsageParams
    evidence = Kinds(
        {
            "used_share": float,
            **dict.fromkeys(("used_bytes", "total_bytes"), int),
            "largest": list[str],
        }
    )

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._pods = kubernetes.pods

    def permissions(self, params: UsageParams, *, namespace: str) -> Sequence[Permission]:
        """Finding a pod, and running a program there that only reads."""
        return disk_permissions(namespace)

    async def look(self, params: UsageParams, ctx: CheckContext) -> Finding:
        """Ask a pod that has the volume mounted."""
        disk = await disk_of(self._pods, ctx, pod=params.pod)
        found = await disk.survey(params.volume, most=params.largest, timeout=params.timeout)
        most = [f"{one.name} {format_bytes(one.bytes)}" for one in found.folders]
        by_what = f": {', '.join(most)}" if most else ""
        return Finding(
            check=ctx.id,
            holds=True,
            summary=f"{found.used_share:.0%} of {params.volume} is used{by_what}",
            evidence={
                "used_share": found.used_share,
                "used_bytes": found.used_bytes,
                "total_bytes": found.total_bytes,
                "largest": [one.name for one in found.folders],
            },
        )
