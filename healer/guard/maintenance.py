"""Holds while a planned maintenance of the service is under way: people are at work there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from healer.guard.contract import Plan
from healer.model.outcome import Decision, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """From `start` to `end`, on these services (none: on all)."""

    start: datetime
    end: datetime
    services: tuple[str, ...] = ()
    reason: str = ""


class MaintenanceParams(BaseModel):
    """Takes no parameters: maintenances stand in the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MaintenanceGuard:
    """Knows the planned maintenances."""

    name = "maintenance"
    params = MaintenanceParams

    def __init__(self, planned: Sequence[Maintenance]) -> None:
        self._planned = planned

    async def judge(self, params: MaintenanceParams, plan: Plan, *, now: datetime) -> Verdict:
        """HOLD until the maintenance ends."""
        del params
        for one in self._planned:
            concerned = not one.services or plan.service.name in one.services
            if concerned and one.start <= now < one.end:
                reason = f"maintenance until {one.end:%H:%M}: {one.reason or 'planned'}"
                return Verdict(
                    guard=self.name, decision=Decision.HOLD, reason=reason, until=one.end
                )
        return Verdict(guard=self.name, decision=Decision.ALLOW, reason="no maintenance")
