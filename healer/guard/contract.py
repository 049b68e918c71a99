"""What the engine asks of a guard."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from pydantic import BaseModel

from healer.model.effect import Effect
from healer.model.event import IncidentKey
from healer.model.incident import Incident
from healer.model.outcome import Verdict
from healer.model.playbook import Playbook, Step
from healer.model.service import Service, Target

ParamsT = TypeVar("ParamsT", bound=BaseModel)

MEMORY = timedelta(days=1)
"""How long what was done is remembered at least. A guard must not look back beyond: it would see
an empty past, and allow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is about to be done. `step` None: the whole run is judged.

    `others` are, of all incidents that are open or were active lately, the others on its target and
    all that act now: cooldowns and budgets are folded from them, so they survive a restart.
    `privileged` are the privileged actions among the steps, by name. `busy` are targets of others
    whose run has been let begin, though its first step may not be on disk yet. `taking_back`:
    nothing new is done.
    """

    incident: Incident
    key: IncidentKey
    service: Service
    playbook: Playbook
    effect: Effect
    step: Step | None = None
    privileged: frozenset[str] = frozenset()
    others: Sequence[Incident] = ()
    busy: frozenset[Target] = frozenset()
    taking_back: bool = False


class Guard(Protocol[ParamsT]):
    """Answers ALLOW, HOLD, ASK or DENY. An exception out of it counts as HOLD: it fails closed."""

    @property
    def name(self) -> str:
        """As playbooks write it, e.g. `cooldown`."""
        ...

    @property
    def params(self) -> type[ParamsT]:
        """The model of its parameters."""
        ...

    async def judge(self, params: ParamsT, plan: Plan, *, now: datetime) -> Verdict:
        """Its verdict on the plan, from fresh state."""
        ...
