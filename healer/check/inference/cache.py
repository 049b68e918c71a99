"""inference.cache: what lies in the cache of the servers, and how much of it is old."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from healer.check.contract import CheckContext, Kinds
from healer.check.inference.server import hear, server_permissions
from healer.check.param import Params
from healer.client.inference import one_per_volume
from healer.client.kubernetes.cluster import Kubernetes
from healer.kit.duration import Duration, format_duration
from healer.model.effect import Permission
from healer.model.outcome import Finding


class CacheParams(Params):
    """From what age on a file counts as old: "7d"."""

    older_than: Annotated[Duration, Field(ge=timedelta(minutes=1))] = timedelta(days=7)


class Cache:
    """Holds if anything is old. Pods that share a claim have one cache, which is counted once.

    Evidence: files, total_bytes, old_files, old_bytes, free_bytes, volumes. `free_bytes` is that
    of the fullest volume, and null where a server has not measured it.
    """

    name = "inference.cache"
    params = CacheParams
    evidence = Kinds(
        {
            **dict.fromkeys(("files", "total_bytes", "old_files", "old_bytes", "volumes"), int),
            "free_bytes": int | None,
        }
    )

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._pods = kubernetes.pods

    def permissions(self, params: CacheParams, *, namespace: str) -> Sequence[Permission]:
        """Finding the pods and asking them."""
        return server_permissions(namespace)

    async def look(self, params: CacheParams, ctx: CheckContext) -> Finding:
        """Ask one ready pod of each volume."""
        pods = await self._pods.select(ctx.target.namespace, ctx.service.selector)
        heard = await hear(
            self._pods,
            one_per_volume(pods),
            ctx,
            lambda server: server.cache(params.older_than),
        )
        told = list(heard.demand_all("what its cache holds").values())
        free = [one.free_bytes for one in told if one.free_bytes is not None]
        old_files = sum(one.old_files for one in told)
        old_bytes = sum(one.old_bytes for one in told)
        age = format_duration(params.older_than)
        return Finding(
            check=ctx.id,
            holds=old_files > 0,
            summary=f"{old_files} cache files ({old_bytes} bytes) are older than {age}",
            evidence={
                "files": sum(one.files for one in told),
                "total_bytes": sum(one.bytes for one in told),
                "old_files": old_files,
                "old_bytes": old_bytes,
                "free_bytes": min(free) if len(free) == len(told) else None,
                "volumes": len(told),
            },
        )
