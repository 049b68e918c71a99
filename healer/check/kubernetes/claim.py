"""kubernetes.pvc: how large a volume claim is, and whether it may grow to a given size."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from healer.check.contract import CheckContext, Kinds
from healer.check.param import ObjectName, Params
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.object import Claim
from healer.client.kubernetes.permission import CLUSTER, allow
from healer.kit.quantity import parse_bytes
from healer.model.effect import Permission
from healer.model.outcome import Finding


def _size(text: str) -> str:
    parse_bytes(text)
    return text


class PvcParams(Params):
    """`to` is the size in question: 300Gi."""

    claim: ObjectName
    to: Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_size)]


class Pvc:
    """Holds if the claim can grow to that size: bound, smaller, and of a class that allows it.

    Evidence: requested, capacity, requested_bytes, capacity_bytes, class, expandable, can_grow.
    """

    name = "kubernetes.pvc"
    params = PvcParams
    evidence = Kinds(
        {
            **dict.fromkeys(("requested", "capacity", "class"), str),
            **dict.fromkeys(("requested_bytes", "capacity_bytes"), int),
            **dict.fromkeys(("expandable", "can_grow"), bool),
        }
    )

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._storage = kubernetes.storage

    def permissions(self, params: PvcParams, *, namespace: str) -> Sequence[Permission]:
        """That claim, and reading the classes of the cluster."""
        return (
            *allow(namespace, "persistentvolumeclaims", "get", names=(params.claim,)),
            *allow(CLUSTER, "storageclasses", "get"),
        )

    async def look(self, params: PvcParams, ctx: CheckContext) -> Finding:
        """Read the claim and its class."""
        claim = await self._storage.claim(ctx.target.namespace, params.claim)
        kind = await self._storage.class_of(claim)
        expandable = kind is not None and kind.allow_volume_expansion
        smaller = claim.requested_bytes < parse_bytes(params.to)
        grows = expandable and smaller and claim.status.phase == "Bound"
        return Finding(
            check=ctx.id,
            holds=grows,
            summary=_summary(claim, params, expandable=expandable, smaller=smaller),
            evidence={
                "requested": claim.requested,
                "capacity": claim.capacity,
                "requested_bytes": claim.requested_bytes,
                "capacity_bytes": claim.capacity_bytes,
                "class": claim.spec.storage_class_name,
                "expandable": expandable,
                "can_grow": grows,
            },
        )


def _summary(claim: Claim, params: PvcParams, *, expandable: bool, smaller: bool) -> str:
    said = f"claim {params.claim} has {claim.capacity or 'no volume yet'}"
    if not expandable:
        name = claim.spec.storage_class_name or "none"
        return f"{said}, and its StorageClass ({name}) allows no expansion"
    if not smaller:
        return f"{said} of {claim.requested} asked for: it is not to grow beyond {params.to}"
    return f"{said}, and may grow to {params.to}"
