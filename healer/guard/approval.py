"""Asks a person, once for each branch that was chosen."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from healer.guard.contract import Plan
from healer.model.outcome import Decision, Verdict


class ApprovalParams(BaseModel):
    """Takes no parameters: who may approve is a matter of the API's tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ApprovalGuard:
    """ASK until the incident has an approval for this very branch."""

    name = "approval"
    params = ApprovalParams

    async def judge(self, params: ApprovalParams, plan: Plan, *, now: datetime) -> Verdict:
        """ASK, or ALLOW with the name of who approved."""
        del params, now
        run = plan.incident.run
        if run.approved is not None:
            reason = f"approved by {run.approved.by}"
            return Verdict(guard=self.name, decision=Decision.ALLOW, reason=reason)
        remedy = run.chosen.remedy if run.chosen else "the run"
        reason = f"{remedy} on {plan.key.target} ({plan.effect.value}) needs a person's approval"
        return Verdict(guard=self.name, decision=Decision.ASK, reason=reason)
