"""An incident with all that its stages need to know, and the tools they work with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from healer.engine.catalog import Catalog
from healer.engine.claim import Claims
from healer.engine.diagnosis import Patient
from healer.engine.journal import Journal
from healer.kit.clock import Clock
from healer.model.event import IncidentId, IncidentKey
from healer.model.incident import Incident
from healer.model.playbook import Mode, Playbook, Remedy, Step
from healer.model.service import Service
from healer.playbook.scope import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What every stage may use. `wake_at` asks to be woken at a moment, at the latest."""

    journal: Journal
    catalog: Catalog
    clock: Clock
    claims: Claims
    wake: Callable[[IncidentId], None]
    wake_at: Callable[[IncidentId, datetime], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One incident as it is now, with its service and the very playbook it follows."""

    incident: Incident
    key: IncidentKey
    service: Service
    playbook: Playbook
    patient: Patient
    scope: Scope
    mode: Mode

    @property
    def remedy(self) -> Remedy | None:
        """The branch that was chosen."""
        chosen = self.incident.run.chosen
        name = chosen.remedy if chosen else None
        return next((one for one in self.playbook.remedies if one.name == name), None)

    @property
    def next_step(self) -> Step | None:
        """The first step of the branch that is not done."""
        steps = self.remedy.steps if self.remedy else ()
        return next((step for step in steps if step.id not in self.incident.run.done), None)

    @property
    def dry_run(self) -> bool:
        """Is nothing to be changed?"""
        return self.mode is Mode.DRY_RUN

    def find_step(self, step_id: str) -> Step | None:
        """A step of any branch, by its id."""
        steps = (step for remedy in self.playbook.remedies for step in remedy.steps)
        return next((step for step in steps if step.id == step_id), None)
