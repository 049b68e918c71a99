"""kubernetes.pvc-expand: let a volume claim grow to a given size, where its StorageClass allows."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from healer.action.contract import StepContext, Undo
from healer.action.param import ObjectName, Params
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.object import Claim
from healer.client.kubernetes.permission import CLUSTER, allow
from healer.errors import PermanentError, StepTimeoutError, TemporaryError
from healer.kit.clock import Clock
from healer.kit.quantity import parse_bytes
from healer.model.effect import Effect, Permission
from healer.model.outcome import Evidence, Outcome, Result

_EVERY = timedelta(seconds=1)
_PENDING = "FileSystemResizePending"


def _size(text: str) -> str:
    if parse_bytes(text) == 0:
        message = "a claim cannot grow to nothing"
        raise ValueError(message)
    return text


Size = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_size)]
"""As Kubernetes writes it: 300Gi."""


class PvcExpandParams(Params):
    """`to` is the size in the end, never a difference. `prepare` writes what was before."""

    claim: ObjectName
    to: Size
    previous: str | None = None


class PvcExpand:
    """A claim only grows: a smaller size is refused, and there is no way back.

    Done means that the volume is larger, not that a larger one was asked for.
    """

    name = "kubernetes.pvc-expand"
    effect = Effect.REVERSIBLE
    params = PvcExpandParams

    def __init__(self, kubernetes: Kubernetes, *, clock: Clock) -> None:
        self._storage = kubernetes.storage
        self._clock = clock

    def permissions(self, params: PvcExpandParams, *, namespace: str) -> Sequence[Permission]:
        """That claim, and reading the classes of the cluster."""
        return (
            *allow(namespace, "persistentvolumeclaims", "get", "patch", names=(params.claim,)),
            *allow(CLUSTER, "storageclasses", "get"),
        )

    async def prepare(self, params: PvcExpandParams, ctx: StepContext) -> PvcExpandParams:
        """Refuse what would be in vain or is not allowed, in words, before anything is asked."""
        if params.previous is not None:
            return params
        claim = await self._storage.claim(ctx.target.namespace, params.claim)
        if claim.status.phase != "Bound":
            message = f"claim {params.claim} is {claim.status.phase or 'not bound'}: it cannot grow"
            raise PermanentError(message)
        if parse_bytes(params.to) < claim.requested_bytes:
            message = f"claim {params.claim} asks for {claim.requested}: it never shrinks"
            raise PermanentError(f"{message} to {params.to}")
        kind = await self._storage.class_of(claim)
        if kind is None or not kind.allow_volume_expansion:
            name = claim.spec.storage_class_name or "none"
            message = f"the StorageClass of claim {params.claim} ({name}) allows no expansion"
            raise PermanentError(message)
        return params.model_copy(update={"previous": claim.requested})

    async def run(self, params: PvcExpandParams, ctx: StepContext) -> Outcome:
        """Ask, then look every second until the capacity is there. Asking twice is asking once."""
        await self._storage.request(
            ctx.target.namespace, params.claim, params.to, dry_run=ctx.dry_run
        )
        if ctx.dry_run:
            summary = f"would grow claim {params.claim} from {params.previous} to {params.to}"
            return Outcome(result=Result.SKIPPED, summary=summary)
        progress = "nothing was seen of it"
        while self._clock.now() < ctx.deadline:
            try:
                claim = await self._storage.claim(ctx.target.namespace, params.claim)
            except TemporaryError as error:
                progress = str(error)
            else:
                if _has(claim, params):
                    return _grown(claim, params)
                progress = _progress(claim)
            await self._clock.sleep(_EVERY)
        message = f"claim {params.claim} has not grown to {params.to} in time: {progress}"
        raise StepTimeoutError(message)

    async def settle(self, params: PvcExpandParams, ctx: StepContext) -> Outcome | None:
        """Grown or not yet; to ask again for what was asked for does no harm."""
        claim = await self._storage.claim(ctx.target.namespace, params.claim)
        if _has(claim, params):
            return _grown(claim, params)
        summary = f"claim {params.claim} has not grown: {_progress(claim)}"
        return Outcome(result=Result.FAILED, summary=summary, evidence=_evidence(claim, params))

    def undo(self, params: PvcExpandParams, outcome: Outcome) -> Undo | None:
        """A volume never shrinks."""
        return None


def _has(claim: Claim, params: PvcExpandParams) -> bool:
    return claim.capacity_bytes >= parse_bytes(params.to)


def _grown(claim: Claim, params: PvcExpandParams) -> Outcome:
    summary = f"claim {params.claim} grew from {params.previous} to {claim.capacity}"
    return Outcome(result=Result.SUCCEEDED, summary=summary, evidence=_evidence(claim, params))


def _progress(claim: Claim) -> str:
    told = [one for one in claim.status.conditions if one.status == "True"]
    words = "; ".join(one.message or one.type for one in told)
    if any(one.type == _PENDING for one in told):
        words += " (its driver grows it only when a pod mounts it anew)"
    return f"{claim.requested} asked for, {claim.capacity} there" + (f": {words}" if words else "")


def _evidence(claim: Claim, params: PvcExpandParams) -> Evidence:
    return {
        "claim": params.claim,
        "previous": params.previous,
        "requested": claim.requested,
        "capacity": claim.capacity,
        "capacity_bytes": claim.capacity_bytes,
    }
