"""At most so many rounds per target and window, and on at most a share of the fleet at once."""

import math
from collections.abc import Iterable
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field

from healer.guard.contract import MEMORY, Plan
from healer.kit.duration import Duration
from healer.model.incident import Incident
from healer.model.outcome import Decision, Verdict


class BudgetParams(BaseModel):
    """`limit` rounds per `window` and target; `fleet_share` of all services at the same time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: int = Field(default=3, ge=1)
    window: Duration = Field(default=timedelta(hours=1), le=MEMORY)
    fleet_share: float = Field(default=0.34, gt=0, le=1)


class BudgetGuard:
    """Folded from the timeline, so a restart does not refill it. Too much broken: call a human."""

    name = "budget"
    params = BudgetParams

    def __init__(self, *, fleet: int) -> None:
        self._fleet = fleet

    async def judge(self, params: BudgetParams, plan: Plan, *, now: datetime) -> Verdict:
        """HOLD until the oldest round leaves the window, or until fewer targets are acted upon."""
        if plan.taking_back:
            return Verdict(guard=self.name, decision=Decision.ALLOW, reason="no round begins")
        if held := self._used_up(params, plan, now):
            return held
        if plan.incident.run.touched:  # it is one of those who act; half a cure helps nobody
            return Verdict(guard=self.name, decision=Decision.ALLOW, reason="its round has begun")
        busy = plan.busy | {
            other.key.target
            for other in plan.others
            if other.key and other.key.target != plan.key.target and other.acting
        }
        most = max(1, math.floor(self._fleet * params.fleet_share))
        if len(busy) >= most:
            names = ", ".join(sorted(map(str, busy)))
            reason = f"{len(busy)} of at most {most} targets are being acted upon: {names}"
            return Verdict(guard=self.name, decision=Decision.HOLD, reason=reason)
        return Verdict(guard=self.name, decision=Decision.ALLOW, reason="within the budget")

    def _used_up(self, params: BudgetParams, plan: Plan, now: datetime) -> Verdict | None:
        rounds = sorted(
            moment
            for incident in _same_target(plan)
            for moment in incident.acted_at
            if moment > now - params.window
        )
        spent = len(rounds) - plan.incident.run.touched  # its own round is not charged twice
        if spent < params.limit:
            return None
        until = rounds[0] + params.window
        reason = (
            f"{spent} of {params.limit} rounds on {plan.key.target} used, until {until:%H:%M:%S}"
        )
        return Verdict(guard=self.name, decision=Decision.HOLD, reason=reason, until=until)


def _same_target(plan: Plan) -> Iterable[Incident]:
    yield plan.incident
    for other in plan.others:
        if other.key and other.key.target == plan.key.target:
            yield other
