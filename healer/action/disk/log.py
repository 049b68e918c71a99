"""disk.rotate-logs: pack what logs hold, and let go of the oldest packed ones."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from healer.action.contract import StepContext, Undo
from healer.action.disk.room import RoomParams, Sweeper, room_permissions
from healer.client.disk.folder import Kind, Rules
from healer.client.kubernetes.cluster import Kubernetes
from healer.kit.clock import Clock
from healer.model.effect import Effect, Permission
from healer.model.outcome import Outcome


class RotateLogsParams(RoomParams):
    """`keep` rotated logs of each stay; logs of `larger_than` bytes and more are packed."""

    keep: Annotated[int, Field(ge=1, le=999)] = 2
    larger_than: Annotated[int, Field(ge=1)] = 1024**2

    def rules(self) -> Rules:
        """As the disk is told."""
        return Rules(
            kind=Kind.LOGS,
            path=self.path,
            volume=self.volume,
            keep=self.keep,
            larger_than=self.larger_than,
        )


class RotateLogs:
    """Packs what logs hold and empties them where they are, as logrotate's `copytruncate`.

    What is written in the moment between the two is lost, as it is there.
    """

    name = "disk.rotate-logs"
    effect = Effect.REVERSIBLE
    params = RotateLogsParams

    def __init__(self, kubernetes: Kubernetes, *, clock: Clock) -> None:
        self._sweeper = Sweeper(kubernetes, clock=clock)

    def permissions(self, params: RotateLogsParams, *, namespace: str) -> Sequence[Permission]:
        """Finding the pod, and running the program there."""
        return room_permissions(namespace)

    async def prepare(self, params: RotateLogsParams, ctx: StepContext) -> RotateLogsParams:
        """Nothing is relative."""
        return params

    async def run(self, params: RotateLogsParams, ctx: StepContext) -> Outcome:
        """First rotated ones beyond `keep`, then large ones."""
        return await self._sweeper.sweep(params, params.rules(), ctx)

    async def settle(self, params: RotateLogsParams, ctx: StepContext) -> Outcome | None:
        """Looks what is left."""
        return await self._sweeper.settle(params, params.rules(), ctx)

    def undo(self, params: RotateLogsParams, outcome: Outcome) -> Undo | None:
        """What was packed can be read where it is."""
        return None
