"""The composition root: the only module that names concrete adapters.

To add an action, a check, a guard or a channel: write it, and add its line here.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from healer.action.contract import Action
from healer.action.flow import Wait, WaitUntil
from healer.action.inference.cache import CacheEvict
from healer.action.kubernetes.config import ConfigMapPatch
from healer.action.kubernetes.exec import Exec
from healer.action.kubernetes.removal import DeletePod, Evict
from healer.action.kubernetes.restart import RolloutRestart
from healer.action.kubernetes.rollback import RolloutUndo
from healer.action.kubernetes.rollout import RolloutStatus
from healer.action.kubernetes.scale import Scale
from healer.check.contract import Check
from healer.check.inference.breaker import Breaker
from healer.check.inference.cache import Cache
from healer.check.inference.health import Components, Health
from healer.check.inference.metric import Metrics
from healer.check.kubernetes.describe import Describe
from healer.check.kubernetes.event import Events
from healer.check.kubernetes.exec import Exec as ExecCheck
from healer.check.kubernetes.log import LogLines
from healer.check.kubernetes.pod import PodState
from healer.check.kubernetes.workload import WorkloadState
from healer.check.prometheus import Query, Range
from healer.client.alertmanager import Alertmanager
from healer.client.kubernetes.cluster import Kubernetes, connect
from healer.client.prometheus import Prometheus
from healer.engine.catalog import Catalog
from healer.engine.deadline import ScheduledTimer
from healer.engine.desk import Desk
from healer.engine.dispatcher import Dispatcher
from healer.engine.journal import Journal
from healer.errors import Fault
from healer.guard.approval import ApprovalGuard
from healer.guard.budget import BudgetGuard
from healer.guard.contract import Guard
from healer.guard.cooldown import CooldownGuard
from healer.guard.firing import SilenceGuard, StillFiringGuard
from healer.guard.maintenance import Maintenance, MaintenanceGuard
from healer.guard.paused import PausedGuard
from healer.guard.window import WindowGuard
from healer.intake.auth import Keyring, WebhookDoor
from healer.intake.limit import Limits
from healer.intake.server import Edge, application, listen
from healer.intake.slack import SlackDoor
from healer.intake.tls import context
from healer.kit.clock import Clock, SystemClock
from healer.model.playbook import GuardSpec
from healer.notify import words
from healer.notify.contract import Notifier
from healer.notify.log import EntryLog
from healer.notify.metrics import EntryMetrics
from healer.notify.pace import Pace
from healer.notify.pagerduty import PagerDutyNotifier
from healer.notify.pagerduty_call import Access, PagerDutyCall
from healer.notify.slack import SlackNotifier
from healer.notify.slack_call import SlackCall, slack_session
from healer.playbook.reload import PlaybookSet
from healer.playbook.vocabulary import Vocabulary
from healer.settings import Settings
from healer.timeline.contract import Timeline
from healer.timeline.sqlite import SqliteTimeline

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """The outside world, as far as it is configured."""

    clock: Clock
    kubernetes: Kubernetes | None = None
    prometheus: Prometheus | None = None
    alertmanager: Alertmanager | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """A thing that playbooks may name: its class, how it is made, and what it needs."""

    kind: type[Any]
    make: Callable[[Any, Clock], Any]


KUBERNETES_ACTIONS = (
    Recipe(CacheEvict, lambda kubernetes, _: CacheEvict(kubernetes)),
    Recipe(ConfigMapPatch, lambda kubernetes, _: ConfigMapPatch(kubernetes)),
    Recipe(DeletePod, lambda kubernetes, _: DeletePod(kubernetes)),
    Recipe(Evict, lambda kubernetes, _: Evict(kubernetes)),
    Recipe(Exec, lambda kubernetes, clock: Exec(kubernetes, clock=clock)),
    Recipe(RolloutRestart, lambda kubernetes, clock: RolloutRestart(kubernetes, clock=clock)),
    Recipe(RolloutStatus, lambda kubernetes, clock: RolloutStatus(kubernetes, clock=clock)),
    Recipe(RolloutUndo, lambda kubernetes, _: RolloutUndo(kubernetes)),
    Recipe(Scale, lambda kubernetes, _: Scale(kubernetes)),
)
PROMETHEUS_ACTIONS = (
    Recipe(WaitUntil, lambda prometheus, clock: WaitUntil(prometheus, clock=clock)),
)
FREE_ACTIONS = (Recipe(Wait, lambda _, clock: Wait(clock)),)
KUBERNETES_CHECKS = (
    Recipe(Breaker, lambda kubernetes, _: Breaker(kubernetes)),
    Recipe(Cache, lambda kubernetes, _: Cache(kubernetes)),
    Recipe(Components, lambda kubernetes, _: Components(kubernetes)),
    Recipe(Describe, lambda kubernetes, _: Describe(kubernetes)),
    Recipe(Events, lambda kubernetes, clock: Events(kubernetes, clock=clock)),
    Recipe(ExecCheck, lambda kubernetes, _: ExecCheck(kubernetes)),
    Recipe(Health, lambda kubernetes, _: Health(kubernetes)),
    Recipe(LogLines, lambda kubernetes, _: LogLines(kubernetes)),
    Recipe(Metrics, lambda kubernetes, _: Metrics(kubernetes)),
    Recipe(PodState, lambda kubernetes, clock: PodState(kubernetes, clock=clock)),
    Recipe(WorkloadState, lambda kubernetes, _: WorkloadState(kubernetes)),
)
PROMETHEUS_CHECKS = (
    Recipe(Query, lambda prometheus, _: Query(prometheus)),
    Recipe(Range, lambda prometheus, clock: Range(prometheus, clock=clock)),
)
GUARDS: tuple[type[Any], ...] = (
    ApprovalGuard,
    BudgetGuard,
    CooldownGuard,
    MaintenanceGuard,
    PausedGuard,
    SilenceGuard,
    StillFiringGuard,
    WindowGuard,
)


def vocabulary(settings: Settings | None = None) -> Vocabulary:
    """Every word that a playbook may use, and which of them `settings` give no means for."""
    actions = (*KUBERNETES_ACTIONS, *PROMETHEUS_ACTIONS, *FREE_ACTIONS)
    checks = (*KUBERNETES_CHECKS, *PROMETHEUS_CHECKS)
    return Vocabulary(
        actions={recipe.kind.name: recipe.kind.params for recipe in actions},
        checks={recipe.kind.name: recipe.kind.params for recipe in checks},
        guards={guard.name: guard.params for guard in GUARDS},
        absent=_absent(settings) if settings else {},
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


@asynccontextmanager
async def daemon(
    settings: Settings,
    *,
    dry_run: bool = False,
    timeline: Timeline | None = None,
    clock: Clock | None = None,
) -> AsyncGenerator[int]:
    """The whole daemon, while the block runs; yields the port it listens on."""
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        if timeline is None:
            timeline = await SqliteTimeline.open(settings.timeline)
            stack.push_async_callback(timeline.close)
        clients = await _connect(settings, clock, stack)
        metrics = EntryMetrics()
        playbooks = _load_playbooks(settings)
        late = _LateObserver()
        journal = Journal(timeline=timeline, clock=clock, observers=(EntryLog(), metrics, late))
        dispatcher = Dispatcher(
            journal=journal,
            catalog=_catalog(settings, clients, playbooks, journal, dry_run=dry_run),
            clock=clock,
            notifiers=await _notifiers(settings, clock, stack),
            source=clients.alertmanager,
        )
        late.dispatcher = dispatcher
        await dispatcher.restore()
        metrics.restore(journal.all(), paused=[one.service for one in journal.pauses()])
        timer = ScheduledTimer(dispatcher.ring)
        timer.start()
        stack.callback(timer.stop)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        workers = (
            group.create_task(dispatcher.run(timer)),
            group.create_task(playbooks.watch(clock, _told)),
        )
        for worker in workers:
            stack.callback(worker.cancel)
        edge = _edge(settings, Desk(dispatcher=dispatcher, journal=journal), metrics, playbooks)
        port = await stack.enter_async_context(_listen(settings, edge))
        yield port


class _LateObserver:
    """The dispatcher watches the journal that it is built upon."""

    dispatcher: Dispatcher | None = None

    def see(self, entry: Any, incident: Any) -> None:
        if self.dispatcher is not None:
            self.dispatcher.see(entry, incident)


async def _connect(settings: Settings, clock: Clock, stack: AsyncExitStack) -> Clients:
    kubernetes: Kubernetes | None = None
    prometheus: Prometheus | None = None
    known = settings.kubernetes
    if known.kubeconfig or known.in_cluster:
        kubernetes = await connect(known.kubeconfig, context=known.context)
        stack.push_async_callback(kubernetes.close)
    if settings.prometheus:
        prometheus = Prometheus(
            settings.prometheus.url,
            timeout=settings.prometheus.timeout,
            headers=settings.prometheus.headers,
        )
        stack.push_async_callback(prometheus.close)
    alertmanager: Alertmanager | None = None
    if settings.alertmanager:
        token = settings.alertmanager.bearer_token_file
        headers = {"Authorization": f"Bearer {token.reveal()}"} if token else {}
        alertmanager = Alertmanager(settings.alertmanager.url, headers=headers)
        stack.push_async_callback(alertmanager.close)
    return Clients(
        clock=clock, kubernetes=kubernetes, prometheus=prometheus, alertmanager=alertmanager
    )


def _load_playbooks(settings: Settings) -> PlaybookSet:
    playbooks = PlaybookSet(settings.playbooks, vocabulary(settings), settings.known_services)
    _told(playbooks.faults)
    return playbooks


def _told(faults: tuple[Fault, ...]) -> None:
    for fault in faults:
        _log.error("playbook not used: %s", fault)


def _catalog(
    settings: Settings,
    clients: Clients,
    playbooks: PlaybookSet,
    journal: Journal,
    *,
    dry_run: bool,
) -> Catalog:
    services = settings.known_services
    guards: list[Guard[Any]] = [
        ApprovalGuard(),
        BudgetGuard(fleet=len(services)),
        CooldownGuard(),
        MaintenanceGuard([_maintenance(one) for one in settings.maintenance]),
        PausedGuard(journal.pauses),
        WindowGuard(),
    ]
    house = ["paused", "maintenance"]
    if clients.alertmanager:
        guards += [SilenceGuard(clients.alertmanager), StillFiringGuard(clients.alertmanager)]
        house += ["silence", "still-firing"]
    budget = settings.budget.model_dump(mode="json")
    return Catalog(
        services=services,
        current=lambda: playbooks.current,
        find=playbooks.find,
        actions=_actions(clients),
        checks=_checks(clients),
        guards={guard.name: guard for guard in guards},
        house_guards=(
            *(GuardSpec(guard=name) for name in house),
            GuardSpec(guard="budget", params=budget),
        ),
        dry_run=dry_run or settings.dry_run,
    )


def _maintenance(window: Any) -> Maintenance:
    return Maintenance(
        start=window.start,
        end=window.end,
        services=tuple(window.services),
        reason=window.reason,
    )


def _actions(clients: Clients) -> Mapping[str, Action[Any]]:
    return _make(
        clients,
        (KUBERNETES_ACTIONS, clients.kubernetes),
        (PROMETHEUS_ACTIONS, clients.prometheus),
        (FREE_ACTIONS, clients.clock),
    )


def _checks(clients: Clients) -> Mapping[str, Check[Any]]:
    return _make(
        clients, (KUBERNETES_CHECKS, clients.kubernetes), (PROMETHEUS_CHECKS, clients.prometheus)
    )


def _make(clients: Clients, *shelves: tuple[Sequence[Recipe], Any]) -> Mapping[str, Any]:
    """What is configured is made; playbooks that ask for the rest are refused when loaded."""
    return {
        recipe.kind.name: recipe.make(client, clients.clock)
        for recipes, client in shelves
        if client is not None
        for recipe in recipes
    }


async def _notifiers(settings: Settings, clock: Clock, stack: AsyncExitStack) -> Sequence[Notifier]:
    notifiers: list[Notifier] = []
    if slack := settings.slack:
        session = await stack.enter_async_context(slack_session())
        call = SlackCall(
            token=slack.token_file.reveal(),
            session=session,
            url=slack.base_url,
            proxy=slack.proxy,
        )
        notifiers.append(SlackNotifier(call=call, pace=Pace(clock=clock)))
    if pagerduty := settings.pagerduty:
        access = Access(
            token=pagerduty.api_token_file.reveal() if pagerduty.api_token_file else "",
            sender=pagerduty.from_ or "",
            events_url=pagerduty.events_url,
            api_url=pagerduty.api_url,
            proxy=pagerduty.proxy or "",
        )
        caller = PagerDutyCall(access)
        stack.push_async_callback(caller.close)
        notifiers.append(PagerDutyNotifier(call=caller, clock=clock))
    return notifiers


def _edge(settings: Settings, desk: Desk, metrics: EntryMetrics, playbooks: PlaybookSet) -> Edge:
    webhook, tls = settings.webhook, settings.listen.tls
    basic = webhook.basic
    signing = settings.slack.signing_secret_file if settings.slack else None
    return Edge(
        desk=desk,
        words=words,
        registry=metrics.registry,
        playbooks=lambda: playbooks.current,
        door=WebhookDoor(
            tokens=[secret.reveal() for secret in webhook.bearer_token_file],
            passwords={basic.username: basic.password_file.reveal()} if basic else None,
            certificates=tls is not None and tls.client_ca is not None,
        ),
        operators=Keyring({secret.reveal(): name for name, secret in settings.api_tokens.items()}),
        slack=SlackDoor(signing_secret=signing.reveal(), clock=SystemClock()) if signing else None,
    )


@asynccontextmanager
async def _listen(settings: Settings, edge: Edge) -> AsyncGenerator[int]:
    where = settings.listen
    tls = (
        context(certificate=where.tls.cert, key=where.tls.key, client_authority=where.tls.client_ca)
        if where.tls
        else None
    )
    limits = Limits()
    serving = listen(application(edge), host=where.host, port=where.port, limits=limits, tls=tls)
    async with serving as port:
        _log.info("listening on %s:%d", where.host, port)
        yield port
