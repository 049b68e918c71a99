"""disk.keep-newest: take old checkpoints away, and keep the newest few."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from healer.action.contract import StepContext, Undo
from healer.action.disk.room import RoomParams, Sweeper, room_permissions
from healer.client.disk.folder import Kind, Rules
from healer.client.kubernetes.cluster import Kubernetes
from healer.kit.clock import Clock
from healer.kit.duration import Duration
from healer.model.effect import Effect, Permission
from healer.model.outcome import Outcome


class KeepNewestParams(RoomParams):
    """The newest `keep` stay, and all younger than `min_age`: they may be in the making."""

    keep: Annotated[int, Field(ge=1)]
    min_age: Duration = timedelta(hours=1)

    def rules(self) -> Rules:
        """As the disk is told."""
        return Rules(
            kind=Kind.CHECKPOINTS,
            path=self.path,
            volume=self.volume,
            keep=self.keep,
            min_age=self.min_age,
        )


class KeepNewest:
    """Takes old checkpoints away, for good. One that a link in the folder names stays."""

    name = "disk.keep-newest"
    effect = Effect.DISRUPTIVE
    params = KeepNewestParams

    def __init__(self, kubernetes: Kubernetes, *, clock: Clock) -> None:
        self._sweeper = Sweeper(kubernetes, clock=clock)

    def permissions(self, params: KeepNewestParams, *, namespace: str) -> Sequence[Permission]:
        """Finding the pod, and running the program there."""
        return room_permissions(namespace)

    async def prepare(self, params: KeepNewestParams, ctx: StepContext) -> KeepNewestParams:
        """Nothing is relative."""
        return params

    async def run(self, params: KeepNewestParams, ctx: StepContext) -> Outcome:
        """The oldest first."""
        return await self._sweeper.sweep(params, params.rules(), ctx)

    async def settle(self, params: KeepNewestParams, ctx: StepContext) -> Outcome | None:
        """Looks what is left."""
        return await self._sweeper.settle(params, params.rules(), ctx)

    def undo(self, params: KeepNewestParams, outcome: Outcome) -> Undo | None:
        """Gone is gone."""
        return None
