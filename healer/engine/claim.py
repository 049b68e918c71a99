"""Who works on which target: one remediation at a time, across playbooks and alert names.

Held in memory and rebuilt from the fold at start: an incident that has begun to act and has not
been healed or given to people has the claim.
"""

from collections.abc import Iterable

from healer.model.event import IncidentId
from healer.model.incident import Incident
from healer.model.service import Target


class Claims:
    """Taken and given back between two awaits, so no lock is needed."""

    def __init__(self) -> None:
        self._holder: dict[Target, IncidentId] = {}
        self._begun: set[Target] = set()
        self._waiting: dict[Target, list[IncidentId]] = {}

    def restore(self, incidents: Iterable[Incident]) -> None:
        """Give every incident that was stopped in the middle of acting its claim back."""
        for incident in incidents:
            if incident.key and is_amid(incident):
                self._holder[incident.key.target] = incident.id
                self.begin(incident.key.target)

    def take(self, target: Target, incident: IncidentId) -> IncidentId | None:
        """None: it is yours. Otherwise who has it; you will be named when it is given back."""
        holder = self._holder.setdefault(target, incident)
        if holder == incident:
            return None
        waiting = self._waiting.setdefault(target, [])
        if incident not in waiting:
            waiting.append(incident)
        return holder

    def begin(self, target: Target) -> None:
        """Its holder may act now: it counts as busy before the first step is on disk."""
        self._begun.add(target)

    def busy(self, *, apart: Target) -> frozenset[Target]:
        """All targets, apart from this one, whose holder may act."""
        return frozenset(self._begun - {apart})

    def give_back(self, target: Target, incident: IncidentId) -> Iterable[IncidentId]:
        """Let go; returns those who wait for it."""
        if self._holder.get(target) != incident:
            return ()
        del self._holder[target]
        self._begun.discard(target)
        return self._waiting.pop(target, ())


def is_amid(incident: Incident) -> bool:
    """Has it begun to change its target, and neither healed it nor handed it over?"""
    over = incident.closed or incident.escalated or incident.healed
    return incident.run.acted and not over
