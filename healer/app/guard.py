"""All guards there are, and which of them the house asks; the same in daemon and rehearsals."""

from typing import Any

from healer.guard.approval import ApprovalGuard
from healer.guard.budget import BudgetGuard, BudgetParams
from healer.guard.contract import Guard
from healer.guard.cooldown import CooldownGuard
from healer.guard.firing import SilenceGuard, StillFiringGuard
from healer.guard.maintenance import MaintenanceGuard
from healer.guard.paused import PausedGuard
from healer.guard.post import Surroundings, Watch
from healer.guard.privileged import PrivilegedGuard
from healer.guard.window import WindowGuard
from healer.model.playbook import GuardSpec


def post(around: Surroundings, *, budget: BudgetParams | None = None) -> Watch:
    """The guards at their posts. Those who ask Alertmanager only where there is one."""
    guards: list[Guard[Any]] = [
        ApprovalGuard(),
        BudgetGuard(fleet=around.fleet),
        CooldownGuard(),
        MaintenanceGuard(around.maintenance),
        PausedGuard(around.pauses),
        PrivilegedGuard(),
        WindowGuard(),
    ]
    house = [GuardSpec(guard=name) for name in ("paused", "maintenance", "privileged")]
    if around.alerts is not None:
        guards += [SilenceGuard(around.alerts), StillFiringGuard(around.alerts)]
        house += [GuardSpec(guard="silence"), GuardSpec(guard="still-firing")]
    params = (budget or BudgetParams()).model_dump(mode="json")
    house.append(GuardSpec(guard="budget", params=params))
    return Watch(guards={guard.name: guard for guard in guards}, house=tuple(house))
