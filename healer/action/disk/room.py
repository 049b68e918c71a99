"""What the ways to make room share: where they run, when they stop, and how they tell of it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Self

from pydantic import Field, model_validator

from healer.action.contract import StepContext
from healer.action.param import ObjectName, Params
from healer.client.disk.folder import Disk, Rules, Swept
from healer.client.disk.place import Folder, refuse_outside
from healer.client.disk.whose import holder_of
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.permission import allow
from healer.kit.clock import Clock
from healer.kit.quantity import format_bytes
from healer.model.effect import Permission
from healer.model.outcome import Evidence, Outcome, Result

_SHOWN = 20
_LEAST = timedelta(seconds=1)


class RoomParams(Params):
    """`until` is the share of the volume that may be used in the end.

    Without `pod`, any that is ready; pods with volumes of their own must be named.
    """

    volume: Folder
    path: Folder
    until: Annotated[float, Field(gt=0, lt=1)]
    pod: ObjectName | None = None

    @model_validator(mode="after")
    def _inside(self) -> Self:
        refuse_outside(self.path, self.volume)
        return self


class Sweeper:
    """What the three have in common: where they run, and how they tell of it."""

    def __init__(self, kubernetes: Kubernetes, *, clock: Clock) -> None:
        self._pods = kubernetes.pods
        self._clock = clock

    async def sweep(self, params: RoomParams, rules: Rules, ctx: StepContext) -> Outcome:
        """Take away what the rules allow until there is room; on a dry run say what may go."""
        disk = await self._disk(params, ctx)
        if ctx.dry_run:
            found = await disk.may_go(rules, timeout=self._left(ctx))
            return _would(params, found)
        done = await disk.sweep(rules, until=params.until, timeout=self._left(ctx))
        return _did(params, done)

    async def settle(self, params: RoomParams, rules: Rules, ctx: StepContext) -> Outcome:
        """Room enough, or nothing left that may go, is done; to go on where it stopped is safe."""
        disk = await self._disk(params, ctx)
        found = await disk.may_go(rules, timeout=self._left(ctx))
        if found.used_share < params.until or not found.items:
            return _did(params, found)
        summary = f"{len(found.items)} that may go are still in {params.path}"
        return Outcome(result=Result.FAILED, summary=summary, evidence=_evidence(found))

    async def _disk(self, params: RoomParams, ctx: StepContext) -> Disk:
        namespace = ctx.target.namespace
        pods = await self._pods.select(namespace, ctx.service.selector)
        pod = holder_of(pods, name=params.pod, whose=str(ctx.target))
        return Disk(self._pods, namespace=namespace, pod=pod)

    def _left(self, ctx: StepContext) -> timedelta:
        return max(ctx.deadline - self._clock.now(), _LEAST)


def room_permissions(namespace: str) -> Sequence[Permission]:
    """Finding the pod, and running the program there."""
    return (
        *allow(namespace, "pods", "list"),
        *allow(namespace, "pods/exec", "create", "get"),
    )


def _would(params: RoomParams, found: Swept) -> Outcome:
    what = f"{len(found.items)} ({format_bytes(found.bytes)}) that may go from {params.path}"
    if found.used_share < params.until:
        what = f"nothing from {params.path}: {found.used_share:.0%} used is little enough"
    summary = f"would take, as far as needed, {what}" if found.items else f"would take {what}"
    return Outcome(result=Result.SKIPPED, summary=summary, evidence=_evidence(found))


def _did(params: RoomParams, done: Swept) -> Outcome:
    stuck = bool(done.failed) and not done.gone
    result = Result.FAILED if stuck else Result.SUCCEEDED
    return Outcome(result=result, summary=_told(params, done), evidence=_evidence(done))


def _told(params: RoomParams, done: Swept) -> str:
    share = f"{done.used_share:.0%} of {params.volume} is used now"
    failed = f"; could not: {'; '.join(done.failed)[:300]}" if done.failed else ""
    if done.gone:
        names = ", ".join(done.gone[:3]) + ("…" if len(done.gone) > 3 else "")
        return f"took {len(done.gone)} from {params.path} ({names}): {share}{failed}"
    if done.used_share < params.until:
        return f"took nothing from {params.path}: {share}, which is little enough{failed}"
    return f"nothing in {params.path} may go: {share}{failed}"


def _evidence(done: Swept) -> Evidence:
    return {
        "gone": list(done.gone[:_SHOWN]),
        "failed": list(done.failed[:_SHOWN]),
        "left": len(done.items),
        "left_bytes": done.bytes,
        "used_share": done.used_share,
    }
