"""The daemon: its parts, how they are joined, and the order in which they start and stop."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from healer.app.client import Clients, connect_all
from healer.app.guard import post
from healer.app.vocabulary import actions, checks, vocabulary
from healer.engine.catalog import Catalog
from healer.engine.catchup import Asking
from healer.engine.deadline import ScheduledTimer
from healer.engine.desk import Desk
from healer.engine.dispatcher import Dispatcher
from healer.engine.journal import Journal
from healer.engine.reception import Reading
from healer.errors import Fault
from healer.guard.maintenance import Maintenance
from healer.guard.post import Surroundings
from healer.intake.auth import Keyring, WebhookDoor
from healer.intake.limit import Limits
from healer.intake.payload import parse
from healer.intake.server import Edge, application, listen
from healer.intake.slack import SlackDoor
from healer.intake.tls import context
from healer.kit.clock import Clock, SystemClock
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
from healer.settings import Settings
from healer.timeline.contract import Timeline
from healer.timeline.sqlite import SqliteTimeline

_log = logging.getLogger(__name__)


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
        clients = await connect_all(settings, clock, stack)
        metrics = EntryMetrics()
        playbooks = _load_playbooks(settings)
        late = _LateObserver()
        journal = Journal(
            timeline=timeline,
            clock=clock,
            observers=(EntryLog(), metrics, late),
            stopwatch=metrics.append_time.time,
        )
        dispatcher = Dispatcher(
            journal=journal,
            catalog=_catalog(settings, clients, playbooks, journal, dry_run=dry_run),
            clock=clock,
            reading=Reading(parse=parse, counted=metrics.received),
            notifiers=await _notifiers(settings, clock, stack),
            asking=_asking(settings, clients),
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


def _asking(settings: Settings, clients: Clients) -> Asking | None:
    """Whom to ask for alerts that were missed, where an Alertmanager is configured."""
    if settings.alertmanager is None or clients.alertmanager is None:
        return None
    return Asking(source=clients.alertmanager, every=settings.alertmanager.catch_up)


class _LateObserver:
    """The dispatcher watches the journal that it is built upon."""

    dispatcher: Dispatcher | None = None

    def see(self, entry: Any, incident: Any) -> None:
        if self.dispatcher is not None:
            self.dispatcher.see(entry, incident)


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
    watch = post(
        Surroundings(
            fleet=len(services),
            maintenance=[_maintenance(one) for one in settings.maintenance],
            pauses=journal.pauses,
            alerts=clients.alertmanager,
        ),
        budget=settings.budget,
    )
    key = settings.pagerduty.routing_key_file if settings.pagerduty else None
    return Catalog(
        services=services,
        current=lambda: playbooks.current,
        find=playbooks.find,
        actions=actions(clients),
        checks=checks(clients),
        guards=watch.guards,
        house_guards=watch.house,
        pager=key.reveal() if key else "",
        dry_run=dry_run or settings.dry_run,
    )


def _maintenance(window: Any) -> Maintenance:
    return Maintenance(
        start=window.start,
        end=window.end,
        services=tuple(window.services),
        reason=window.reason,
    )


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
