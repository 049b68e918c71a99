"""All that the engine was given to work with: services, playbooks, actions, checks, guards."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from healer.action.contract import Action
from healer.check.contract import Check
from healer.guard.contract import Guard
from healer.model.playbook import GuardSpec, Playbook
from healer.model.service import Service

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
    dry_run: bool = False
