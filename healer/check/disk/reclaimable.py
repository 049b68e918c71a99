"""disk.reclaimable: what may go from a folder of a volume, and how much room that would give."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Self

from pydantic import Field, model_validator

from healer.check.contract import CheckContext, Kinds
from healer.check.disk.pod import disk_of, disk_permissions
from healer.check.param import ObjectName, Params
from healer.client.disk.folder import Kind, Rules, Swept
from healer.client.disk.place import Folder, refuse_outside
from healer.client.kubernetes.cluster import Kubernetes
from healer.kit.duration import Duration
from healer.kit.quantity import format_bytes
from healer.model.effect import Permission
from healer.model.outcome import Finding

_SHOWN = 20


class ReclaimableParams(Params):
    """The same words as the actions `disk.…` have, so that the same things are meant."""

    kind: Kind
    volume: Folder
    path: Folder
    keep: Annotated[int, Field(ge=1, le=999)] = 2
    min_age: Duration = timedelta(hours=1)
    larger_than: Annotated[int, Field(ge=1)] = 1024**2
    pod: ObjectName | None = None
    timeout: Duration = timedelta(seconds=15)

    @model_validator(mode="after")
    def _inside(self) -> Self:
        refuse_outside(self.path, self.volume)
        return self


class Reclaimable:
    """Holds if anything may go. Evidence: items, bytes, share (of the volume), names.

    Of logs that are to be packed, the room is a guess from their beginnings.
    """

    name = "disk.reclaimable"
    params = ReclaimableParams
    evidence = Kinds({"items": int, "bytes": int, "share": float, "names": list[str]})

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._pods = kubernetes.pods

    def permissions(self, params: ReclaimableParams, *, namespace: str) -> Sequence[Permission]:
        """Finding a pod, and running a program there that only reads."""
        return disk_permissions(namespace)

    async def look(self, params: ReclaimableParams, ctx: CheckContext) -> Finding:
        """Ask a pod that has the volume mounted."""
        disk = await disk_of(self._pods, ctx, pod=params.pod)
        found = await disk.may_go(_rules(params), timeout=params.timeout)
        share = found.bytes / found.total_bytes if found.total_bytes else 0.0
        return Finding(
            check=ctx.id,
            holds=bool(found.items),
            summary=_summary(params, found),
            evidence={
                "items": len(found.items),
                "bytes": found.bytes,
                "share": share,
                "names": [one.name for one in found.items[:_SHOWN]],
            },
        )


def _rules(params: ReclaimableParams) -> Rules:
    return Rules(
        kind=params.kind,
        path=params.path,
        volume=params.volume,
        keep=params.keep,
        min_age=params.min_age,
        larger_than=params.larger_than,
    )


def _summary(params: ReclaimableParams, found: Swept) -> str:
    if found.missing:
        return f"there is no {params.path}"
    if not found.items:
        return f"no {params.kind.value} in {params.path} may go"
    size = format_bytes(found.bytes)
    return f"{len(found.items)} {params.kind.value} in {params.path} may go: {size}"
