"""Holds while an operator has paused the daemon or the service."""

from collections.abc import Callable, Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from healer.guard.contract import Plan
from healer.model.event import Paused
from healer.model.outcome import Decision, Verdict


class NoParams(BaseModel):
    """Takes no parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PausedGuard:
    """Asks what pauses are in force."""

    name = "paused"
    params = NoParams

    def __init__(self, pauses: Callable[[], Sequence[Paused]]) -> None:
        self._pauses = pauses

    async def judge(self, params: NoParams, plan: Plan, *, now: datetime) -> Verdict:
        """HOLD until resumed."""
        del params, now
        for paused in self._pauses():
            if paused.service in ("", plan.service.name):
                what = paused.service or "healer"
                reason = f"{what} is paused by {paused.by}: {paused.reason}"
                return Verdict(guard=self.name, decision=Decision.HOLD, reason=reason)
        return Verdict(guard=self.name, decision=Decision.ALLOW, reason="not paused")
