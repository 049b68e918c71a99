"""Does Alertmanager itself still know the alerts, and has somebody silenced them? Two guards."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from healer.guard.contract import Plan
from healer.model.alert import Fingerprint
from healer.model.outcome import Decision, Verdict


class ActiveAlerts(Protocol):
    """What Alertmanager has now."""

    async def silenced_by(self) -> Mapping[Fingerprint, Sequence[str]]:
        """All firing alerts, each with the ids of the silences that mute it."""
        ...


class FiringParams(BaseModel):
    """Takes no parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StillFiringGuard:
    """Holds where Alertmanager knows none of the incident's alerts any more."""

    name = "still-firing"
    params = FiringParams

    def __init__(self, alerts: ActiveAlerts) -> None:
        self._alerts = alerts

    async def judge(self, params: FiringParams, plan: Plan, *, now: datetime) -> Verdict:
        """HOLD: the resolved notice is on its way, and nothing should be done any more."""
        del params, now
        if plan.incident.run.acted:
            reason = "the run has begun: its own steps may have silenced the symptom"
            return Verdict(guard=self.name, decision=Decision.ALLOW, reason=reason)
        known = await self._alerts.silenced_by()
        firing = [alert.name for alert in plan.incident.firing if alert.fingerprint in known]
        if firing:
            reason = f"{', '.join(sorted(set(firing)))} still firing"
            return Verdict(guard=self.name, decision=Decision.ALLOW, reason=reason)
        reason = "Alertmanager knows none of its alerts any more"
        return Verdict(guard=self.name, decision=Decision.HOLD, reason=reason)


class SilenceGuard:
    """Holds where all of the incident's firing alerts are silenced: somebody is at work."""

    name = "silence"
    params = FiringParams

    def __init__(self, alerts: ActiveAlerts) -> None:
        self._alerts = alerts

    async def judge(self, params: FiringParams, plan: Plan, *, now: datetime) -> Verdict:
        """HOLD while silenced; whoever acts must honour silences as well."""
        del params, now
        known = await self._alerts.silenced_by()
        muting = [known.get(alert.fingerprint, ()) for alert in plan.incident.firing]
        if muting and all(muting):
            ids = ", ".join(sorted({silence for ids in muting for silence in ids}))
            return Verdict(
                guard=self.name, decision=Decision.HOLD, reason=f"silenced in Alertmanager: {ids}"
            )
        return Verdict(guard=self.name, decision=Decision.ALLOW, reason="not silenced")
