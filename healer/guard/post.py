"""What guards need to stand at their post, and what the engine is given of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from healer.guard.contract import Guard
from healer.guard.firing import ActiveAlerts
from healer.guard.maintenance import Maintenance
from healer.model.event import Paused
from healer.model.playbook import GuardSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What they look at, apart from the incident itself; `alerts` None: no Alertmanager."""

    fleet: int
    maintenance: Sequence[Maintenance]
    pauses: Callable[[], Sequence[Paused]]
    alerts: ActiveAlerts | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """All guards by name, and those of the house, which are asked first."""

    guards: Mapping[str, Guard[Any]]
    house: tuple[GuardSpec, ...]
