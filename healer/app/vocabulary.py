"""Every word that playbooks may use: its class, and how it is made from what is configured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from healer.action.certificate.renew import Renew
from healer.action.certificate.replace import Replace
from healer.action.contract import Action
from healer.action.disk.log import RotateLogs
from healer.action.disk.newest import KeepNewest
from healer.action.disk.revision import PurgeRevisions
from healer.action.flow import Wait, WaitUntil
from healer.action.inference.breaker import BreakerReset
from healer.action.inference.cache import CacheEvict
from healer.action.inference.limit import Limits
from healer.action.inference.model import ModelRestore
from healer.action.kubernetes.autoscale import Autoscale
from healer.action.kubernetes.config import ConfigMapPatch
from healer.action.kubernetes.environment import SetEnv
from healer.action.kubernetes.exec import Exec
from healer.action.kubernetes.expand import PvcExpand
from healer.action.kubernetes.remount import Remount
from healer.action.kubernetes.removal import DeletePod, Evict
from healer.action.kubernetes.restart import RolloutRestart
from healer.action.kubernetes.rollback import RolloutUndo
from healer.action.kubernetes.rollout import RolloutStatus
from healer.action.kubernetes.scale import Scale
from healer.app.client import Clients
from healer.check.certificate.handshake import Handshake
from healer.check.certificate.keeper import Keeper
from healer.check.certificate.secret import TlsSecret
from healer.check.contract import Check
from healer.check.disk.reclaimable import Reclaimable
from healer.check.disk.usage import Usage
from healer.check.inference.breaker import Breaker
from healer.check.inference.cache import Cache
from healer.check.inference.expert import Experts
from healer.check.inference.health import Components, Health
from healer.check.inference.metric import Metrics
from healer.check.inference.model import Model
from healer.check.kubernetes.autoscaler import AutoscalerState
from healer.check.kubernetes.claim import Pvc
from healer.check.kubernetes.describe import Describe
from healer.check.kubernetes.environment import Env
from healer.check.kubernetes.event import Events
from healer.check.kubernetes.exec import Exec as ExecCheck
from healer.check.kubernetes.log import LogLines
from healer.check.kubernetes.mount import MountState
from healer.check.kubernetes.node import Nodes
from healer.check.kubernetes.pod import PodState
from healer.check.kubernetes.revision import Revision
from healer.check.kubernetes.workload import WorkloadState
from healer.check.prometheus import Query, Range
from healer.guard.approval import ApprovalGuard
from healer.guard.budget import BudgetGuard
from healer.guard.cooldown import CooldownGuard
from healer.guard.firing import SilenceGuard, StillFiringGuard
from healer.guard.maintenance import MaintenanceGuard
from healer.guard.paused import PausedGuard
from healer.guard.privileged import PrivilegedGuard
from healer.guard.window import WindowGuard
from healer.kit.clock import Clock
from healer.playbook.vocabulary import Vocabulary
from healer.settings import Settings


@dataclass(frozen=True, slots=True)
class Recipe:
    """A thing that playbooks may name: its class, how it is made, and what it needs."""

    kind: type[Any]
    make: Callable[[Any, Clock], Any]


KUBERNETES_ACTIONS = (
    Recipe(Autoscale, lambda kubernetes, _: Autoscale(kubernetes)),
    Recipe(BreakerReset, lambda kubernetes, _: BreakerReset(kubernetes)),
    Recipe(CacheEvict, lambda kubernetes, _: CacheEvict(kubernetes)),
    Recipe(ConfigMapPatch, lambda kubernetes, _: ConfigMapPatch(kubernetes)),
    Recipe(DeletePod, lambda kubernetes, _: DeletePod(kubernetes)),
    Recipe(Evict, lambda kubernetes, _: Evict(kubernetes)),
    Recipe(Exec, lambda kubernetes, clock: Exec(kubernetes, clock=clock)),
    Recipe(KeepNewest, lambda kubernetes, clock: KeepNewest(kubernetes, clock=clock)),
    Recipe(Limits, lambda kubernetes, _: Limits(kubernetes)),
    Recipe(PurgeRevisions, lambda kubernetes, clock: PurgeRevisions(kubernetes, clock=clock)),
    Recipe(PvcExpand, lambda kubernetes, clock: PvcExpand(kubernetes, clock=clock)),
    Recipe(ModelRestore, lambda kubernetes, clock: ModelRestore(kubernetes, clock=clock)),
    Recipe(Renew, lambda kubernetes, clock: Renew(kubernetes, clock=clock)),
    Recipe(Replace, lambda kubernetes, clock: Replace(kubernetes, clock=clock)),
    Recipe(Remount, lambda kubernetes, _: Remount(kubernetes)),
    Recipe(RolloutRestart, lambda kubernetes, clock: RolloutRestart(kubernetes, clock=clock)),
    Recipe(RolloutStatus, lambda kubernetes, clock: RolloutStatus(kubernetes, clock=clock)),
    Recipe(RolloutUndo, lambda kubernetes, _: RolloutUndo(kubernetes)),
    Recipe(RotateLogs, lambda kubernetes, clock: RotateLogs(kubernetes, clock=clock)),
    Recipe(SetEnv, lambda kubernetes, _: SetEnv(kubernetes)),
    Recipe(Scale, lambda kubernetes, _: Scale(kubernetes)),
)
PROMETHEUS_ACTIONS = (
    Recipe(WaitUntil, lambda prometheus, clock: WaitUntil(prometheus, clock=clock)),
)
FREE_ACTIONS = (Recipe(Wait, lambda _, clock: Wait(clock)),)
KUBERNETES_CHECKS = (
    Recipe(AutoscalerState, lambda kubernetes, _: AutoscalerState(kubernetes)),
    Recipe(Breaker, lambda kubernetes, _: Breaker(kubernetes)),
    Recipe(Cache, lambda kubernetes, _: Cache(kubernetes)),
    Recipe(Components, lambda kubernetes, _: Components(kubernetes)),
    Recipe(Describe, lambda kubernetes, _: Describe(kubernetes)),
    Recipe(Env, lambda kubernetes, _: Env(kubernetes)),
    Recipe(Events, lambda kubernetes, clock: Events(kubernetes, clock=clock)),
    Recipe(ExecCheck, lambda kubernetes, _: ExecCheck(kubernetes)),
    Recipe(Experts, lambda kubernetes, _: Experts(kubernetes)),
    Recipe(Health, lambda kubernetes, _: Health(kubernetes)),
    Recipe(Keeper, lambda kubernetes, _: Keeper(kubernetes)),
    Recipe(LogLines, lambda kubernetes, _: LogLines(kubernetes)),
    Recipe(Metrics, lambda kubernetes, _: Metrics(kubernetes)),
    Recipe(Model, lambda kubernetes, _: Model(kubernetes)),
    Recipe(MountState, lambda kubernetes, _: MountState(kubernetes)),
    Recipe(Nodes, lambda kubernetes, _: Nodes(kubernetes)),
    Recipe(PodState, lambda kubernetes, clock: PodState(kubernetes, clock=clock)),
    Recipe(Pvc, lambda kubernetes, _: Pvc(kubernetes)),
    Recipe(Reclaimable, lambda kubernetes, _: Reclaimable(kubernetes)),
    Recipe(TlsSecret, lambda kubernetes, clock: TlsSecret(kubernetes, clock=clock)),
    Recipe(Revision, lambda kubernetes, clock: Revision(kubernetes, clock=clock)),
    Recipe(Usage, lambda kubernetes, _: Usage(kubernetes)),
    Recipe(WorkloadState, lambda kubernetes, _: WorkloadState(kubernetes)),
)
PROMETHEUS_CHECKS = (
    Recipe(Query, lambda prometheus, _: Query(prometheus)),
    Recipe(Range, lambda prometheus, clock: Range(prometheus, clock=clock)),
)
FREE_CHECKS = (Recipe(Handshake, lambda _, clock: Handshake(clock)),)
GUARDS: tuple[type[Any], ...] = (
    ApprovalGuard,
    BudgetGuard,
    CooldownGuard,
    MaintenanceGuard,
    PausedGuard,
    PrivilegedGuard,
    SilenceGuard,
    StillFiringGuard,
    WindowGuard,
)


def vocabulary(settings: Settings | None = None) -> Vocabulary:
    """Every word that a playbook may use, and which of them `settings` give no means for."""
    acting = (*KUBERNETES_ACTIONS, *PROMETHEUS_ACTIONS, *FREE_ACTIONS)
    looking = (*KUBERNETES_CHECKS, *PROMETHEUS_CHECKS, *FREE_CHECKS)
    return Vocabulary(
        actions={recipe.kind.name: recipe.kind.params for recipe in acting},
        checks={recipe.kind.name: recipe.kind.params for recipe in looking},
        guards={guard.name: guard.params for guard in GUARDS},
        absent=_absent(settings) if settings else {},
        evidence={
            recipe.kind.name: recipe.kind.evidence
            for recipe in looking
            if hasattr(recipe.kind, "evidence")
        },
    )


def _absent(settings: Settings) -> Mapping[str, str]:
    absent: dict[str, str] = {}
    cluster = settings.kubernetes
    if not (cluster.kubeconfig or cluster.in_cluster):
        why = "`kubernetes` in the configuration: `in_cluster: true`, or a `kubeconfig`"
        absent.update({one.kind.name: why for one in (*KUBERNETES_ACTIONS, *KUBERNETES_CHECKS)})
    if settings.prometheus is None:
        why = "`prometheus: {url: …}` in the configuration"
        absent.update({one.kind.name: why for one in (*PROMETHEUS_ACTIONS, *PROMETHEUS_CHECKS)})
    if settings.alertmanager is None:
        guards = (SilenceGuard, StillFiringGuard)
        why = "`alertmanager: {url: …}` in the configuration"
        absent.update({guard.name: why for guard in guards})
    return absent


def actions(clients: Clients) -> Mapping[str, Action[Any]]:
    """All actions that can be made, by name."""
    return _make(
        clients,
        (KUBERNETES_ACTIONS, clients.kubernetes),
        (PROMETHEUS_ACTIONS, clients.prometheus),
        (FREE_ACTIONS, clients.clock),
    )


def checks(clients: Clients) -> Mapping[str, Check[Any]]:
    """All checks that can be made, by name."""
    return _make(
        clients,
        (KUBERNETES_CHECKS, clients.kubernetes),
        (PROMETHEUS_CHECKS, clients.prometheus),
        (FREE_CHECKS, clients.clock),
    )


def _make(clients: Clients, *shelves: tuple[Sequence[Recipe], Any]) -> Mapping[str, Any]:
    """What is configured is made; playbooks that ask for the rest are refused when loaded."""
    return {
        recipe.kind.name: recipe.make(client, clients.clock)
        for recipes, client in shelves
        if client is not None
        for recipe in recipes
    }
