"""Denies what is privileged or loses something, unless the service's configuration switched it on.

That a person approves it each time is asked besides: the engine does that for every such run.
"""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from healer.guard.contract import Plan
from healer.model.outcome import Decision, Verdict


class PrivilegedParams(BaseModel):
    """Takes no parameters: what is switched on is a matter of the configuration alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PrivilegedGuard:
    """Asks the configuration of the service."""

    name = "privileged"
    params = PrivilegedParams

    async def judge(self, params: PrivilegedParams, plan: Plan, *, now: datetime) -> Verdict:
        """DENY, and say which line would allow it."""
        del params, now
        wanted = sorted(plan.privileged - plan.service.privileged)
        if not wanted:
            reason = "nothing privileged that is not switched on"
            return Verdict(guard=self.name, decision=Decision.ALLOW, reason=reason)
        listed = ", ".join(wanted)
        reason = (
            f"{listed} is privileged, and is not switched on for {plan.service.name} "
            f"(in its service in healer.yaml: `privileged: [{listed}]`)"
        )
        return Verdict(guard=self.name, decision=Decision.DENY, reason=reason)
