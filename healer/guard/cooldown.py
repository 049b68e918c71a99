"""Not again too soon on the same target, whatever the playbook. The guard to copy from."""

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field

from healer.guard.contract import MEMORY, Plan
from healer.kit.duration import Duration
from healer.model.outcome import Decision, Verdict


class CooldownParams(BaseModel):
    """`after`: how long a target is left alone after a round began on it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    after: Duration = Field(default=timedelta(minutes=5), le=MEMORY)


class CooldownGuard:
    """Looks when the target was last acted upon, by any incident."""

    name = "cooldown"
    params = CooldownParams

    async def judge(self, params: CooldownParams, plan: Plan, *, now: datetime) -> Verdict:
        """HOLD until the cooldown is over; a round that has begun is not held by itself."""
        if plan.taking_back:
            return Verdict(guard=self.name, decision=Decision.ALLOW, reason="no round begins")
        last = max(_earlier_rounds(plan), default=None)
        if last is None or now >= last + params.after:
            return Verdict(guard=self.name, decision=Decision.ALLOW, reason="long enough ago")
        until = last + params.after
        reason = f"{plan.key.target} was acted upon at {last:%H:%M:%S}, left alone until"
        reason = f"{reason} {until:%H:%M:%S}"
        return Verdict(guard=self.name, decision=Decision.HOLD, reason=reason, until=until)


def _earlier_rounds(plan: Plan) -> list[datetime]:
    own = plan.incident.acted_at
    if plan.incident.run.touched:
        own = own[:-1]  # the round that is being judged has begun already
    others = (
        moment
        for other in plan.others
        if other.key and other.key.target == plan.key.target
        for moment in other.acted_at
    )
    return [*own, *others]
