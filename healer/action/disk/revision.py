"""disk.purge-revisions: take revisions that no ref names out of a model cache."""

from collections.abc import Sequence
from datetime import timedelta

from healer.action.contract import StepContext, Undo
from healer.action.disk.room import RoomParams, Sweeper, room_permissions
from healer.client.disk.folder import Kind, Rules
from healer.client.kubernetes.cluster import Kubernetes
from healer.kit.clock import Clock
from healer.kit.duration import Duration
from healer.model.effect import Effect, Permission
from healer.model.outcome import Outcome


class PurgeRevisionsParams(RoomParams):
    """Of the revisions that no ref names, those older than `min_age` may go."""

    min_age: Duration = timedelta(hours=1)

    def rules(self) -> Rules:
        """As the disk is told."""
        return Rules(kind=Kind.REVISIONS, path=self.path, volume=self.volume, min_age=self.min_age)


class PurgeRevisions:
    """Takes old revisions out of a model cache; they can be fetched again."""

    name = "disk.purge-revisions"
    effect = Effect.REVERSIBLE
    params = PurgeRevisionsParams

    def __init__(self, kubernetes: Kubernetes, *, clock: Clock) -> None:
        self._sweeper = Sweeper(kubernetes, clock=clock)

    def permissions(self, params: PurgeRevisionsParams, *, namespace: str) -> Sequence[Permission]:
        """Finding the pod, and running the program there."""
        return room_permissions(namespace)

    async def prepare(self, params: PurgeRevisionsParams, ctx: StepContext) -> PurgeRevisionsParams:
        """Nothing is relative: age is counted when it is done."""
        return params

    async def run(self, params: PurgeRevisionsParams, ctx: StepContext) -> Outcome:
        """The oldest first."""
        return await self._sweeper.sweep(params, params.rules(), ctx)

    async def settle(self, params: PurgeRevisionsParams, ctx: StepContext) -> Outcome | None:
        """Looks what is left."""
        return await self._sweeper.settle(params, params.rules(), ctx)

    def undo(self, params: PurgeRevisionsParams, outcome: Outcome) -> Undo | None:
        """Whoever wants one again fetches it."""
        return None
