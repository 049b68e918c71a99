"""What the engine asks of an action."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from pydantic import BaseModel

from healer.model.effect import Effect, Permission
from healer.model.event import IncidentId
from healer.model.outcome import Outcome
from healer.model.service import Service, Target

ParamsT = TypeVar("ParamsT", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepContext:
    """The surroundings of one attempt. `key` is the same for every try of this step."""

    incident: IncidentId
    service: Service
    target: Target
    key: str
    attempt: int
    deadline: datetime
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """The action, with final parameters, that takes a step back."""

    action: str
    params: BaseModel


class Action(Protocol[ParamsT]):
    """One thing that healer can do. Foreign errors arrive as TemporaryError or PermanentError."""

    @property
    def name(self) -> str:
        """As playbooks write it, e.g. `kubernetes.scale`."""
        ...

    @property
    def effect(self) -> Effect:
        """How much it can hurt."""
        ...

    @property
    def params(self) -> type[ParamsT]:
        """The model of its parameters."""
        ...

    def permissions(self, params: ParamsT, *, namespace: str) -> Sequence[Permission]:
        """The rights it needs in the Kubernetes API, verification and undo included."""
        ...

    async def prepare(self, params: ParamsT, ctx: StepContext) -> ParamsT:
        """Make final what is relative (`+2` becomes 5, `from` becomes 3) before it is written down.

        Reads only. What `settle` and `undo` will need must stand in the result, for a crash may
        leave nothing else.
        """
        ...

    async def run(self, params: ParamsT, ctx: StepContext) -> Outcome:
        """Do it; on a dry run say what would be done (Result.SKIPPED), and change nothing."""
        ...

    async def settle(self, params: ParamsT, ctx: StepContext) -> Outcome | None:
        """After a crash: what came of it? FAILED means surely not done; None means unknown."""
        ...

    def undo(self, params: ParamsT, outcome: Outcome) -> Undo | None:
        """How to take it back; None where that cannot be done."""
        ...
