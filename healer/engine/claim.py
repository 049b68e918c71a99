"""Who works on which target: one remediation at a time, across playbooks and alert names.

Held in memory and rebuilt from the fold at start: an incident that has begun to act and has not
been verified has the claim.
"""

from collections.abc import Iterable

from healer.model.event import IncidentId
from healer.model.incident import Incident
from healer.model.service import Target


class Claims:
    """Taken and given back between two awaits, so no lock is needed."""

    def __init__(self) -> None:
        self._holder: dict[Target, IncidentId] = {}
        self._waiting: dict[Target, list[IncidentId]] = {}

    def restore(self, incidents: Iterable[Incident]) -> None:
        """Give every incident that was stopped in the middle of acting its claim back."""
        for incident in incidents:
            if incident.key and incident.run.acted and is_acting(incident):
                self._holder[incident.key.target] = incident.id

    def take(self, target: Target, incident: IncidentId) -> IncidentId | None:
        """None: it is yours. Otherwise who has it; you will be named when it is given back."""
        holder = self._holder.setdefault(target, incident)
        if holder == incident:
            return None
        waiting = self._waiting.setdefault(target, [])
        if incident not in waiting:
            waiting.append(incident)
        return holder

    def give_back(self, target: Target, incident: IncidentId) -> Iterable[IncidentId]:
        """Let go; returns those who wait for it."""
        if self._holder.get(target) != incident:
            return ()
        del self._holder[target]
        return self._waiting.pop(target, ())


def is_acting(incident: Incident) -> bool:
    """Has its round begun, and not been brought to an end?"""
    return incident.closed is None and incident.escalated is None and incident.run.after is None
