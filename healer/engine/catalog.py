"""All that the engine was given to work with: services, playbooks, actions, checks, guards."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from healer.action.contract import Action
from healer.check.contract import Check
from healer.guard.contract import Guard
from healer.model.event import IncidentKey
from healer.model.incident import Incident
from healer.model.playbook import GuardSpec, Mode, Playbook
from healer.model.service import Service, Severity

Find = Callable[[str, str], Playbook | None]
"""A playbook by name and digest, older versions included: an incident keeps the one it began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Looked up by name. `guards` are those of the house, asked before any playbook's own."""

    services: Mapping[str, Service]
    current: Callable[[], Sequence[Playbook]]
    find: Find
    actions: Mapping[str, Action[Any]]
    checks: Mapping[str, Check[Any]]
    guards: Mapping[str, Guard[Any]]
    house_guards: tuple[GuardSpec, ...] = ()
    pager: str = field(default="", repr=False)
    """PagerDuty's routing key where a service names none of its own."""
    dry_run: bool = False

    def playbook_of(self, incident: Incident) -> Playbook | None:
        """The version it began with; once it is healed, a newer one will do to end its watch."""
        matched = incident.matched
        if matched is None:
            return None
        same = self.find(matched.playbook, matched.digest)
        if same is not None or incident.healed is None:
            return same
        return next((one for one in self.current() if one.name == matched.playbook), None)

    def addressee(self, incident: Incident, key: IncidentKey) -> Service:
        """The service whose people are told. One that is gone from here is told where it was.

        That is in the threads that it has already, and by the pager of the house.
        """
        known = self.services.get(key.service)
        if known is not None:
            return known
        pages = Severity(name=incident.severity, pages=True, respond_within=timedelta())
        return Service(
            name=key.service,
            match=(),
            workload=key.target,
            selector="",
            severities={incident.severity: pages},
            pagerduty_key=self.pager,
        )

    def mode_of(self, mode: Mode) -> Mode:
        """The mode in which work is done here: a daemon that rehearses never acts."""
        return Mode.DRY_RUN if self.dry_run and mode is not Mode.OBSERVE else mode
