"""A whole engine upon a small world, in memory and in virtual time."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import orjson

from healer.engine.catalog import Catalog
from healer.engine.desk import Desk
from healer.engine.dispatcher import Dispatcher
from healer.engine.journal import Journal
from healer.engine.reception import Reading
from healer.guard.approval import ApprovalGuard
from healer.guard.budget import BudgetGuard
from healer.guard.cooldown import CooldownGuard
from healer.guard.paused import PausedGuard
from healer.guard.privileged import PrivilegedGuard
from healer.intake.payload import parse
from healer.model.alert import Alert, AlertGroup, AlertStatus, Fingerprint, GroupKey
from healer.model.effect import Effect
from healer.model.event import Entry, Event, IncidentId
from healer.model.incident import Incident, IncidentState
from healer.model.matcher import Matcher, MatchOp
from healer.model.playbook import (
    CheckSpec,
    Escalate,
    GuardSpec,
    Mode,
    Playbook,
    Remedy,
    Step,
    StepId,
    Verify,
)
from healer.model.receipt import Receipt
from healer.model.service import Service, Target
from healer.notify.contract import Notifier
from healer.timeline.contract import Timeline
from healer.timeline.memory import MemoryTimeline
from tests.fakes.clock import START, LoopClock, LoopTimer
from tests.fakes.disk import Disk, FakeGuard, FreeAction, FreeCheck

WORKLOAD = Target(namespace="production", kind="deployment", name="api")
SERVICE = Service(
    name="api",
    match=(Matcher(label="service", op=MatchOp.EQUAL, value="api"),),
    workload=WORKLOAD,
    selector="app=api",
    thresholds={"free": 20.0},
)
FREE = Step(
    id=StepId("free"), action="disk.free", params={"amount": 50}, timeout=timedelta(seconds=30)
)
PLAYBOOK = Playbook(
    name="DISK",
    title="Disk full",
    path="disk.yaml",
    digest="0123456789ab",
    match=((Matcher(label="alertname", op=MatchOp.EQUAL, value="DiskFull"),),),
    mode=Mode.AUTO,
    diagnose=(CheckSpec(id="free", check="disk.free"),),
    remedies=(Remedy(name="make-room", when="checks.free.value < 20.0", steps=(FREE,)),),
    verify=Verify(
        until="checks.free.value > service.thresholds.free",
        for_=timedelta(seconds=30),
        timeout=timedelta(minutes=5),
        every=timedelta(seconds=10),
        watch=timedelta(minutes=30),
    ),
    escalate=Escalate(after=timedelta(hours=2), to=("lead",)),
)


def with_steps(*steps: Step, playbook: Playbook = PLAYBOOK) -> Playbook:
    """The playbook with other steps in its one branch."""
    return replace(playbook, remedies=(replace(playbook.remedies[0], steps=steps),))


def alert(
    name: str = "DiskFull",
    *,
    pod: str = "api-1",
    resolved: bool = False,
    at: datetime = START,
    **labels: str,
) -> Alert:
    """One alert of the service."""
    own = {"alertname": name, "service": "api", "pod": pod, "severity": "critical", **labels}
    return Alert(
        fingerprint=Fingerprint("/".join(f"{key}={own[key]}" for key in sorted(own))),
        status=AlertStatus.RESOLVED if resolved else AlertStatus.FIRING,
        labels=own,
        starts_at=at,
    )


def group(*alerts: Alert) -> AlertGroup:
    """One delivery of these alerts."""
    return AlertGroup(key=GroupKey("{}:{}"), receiver="healer", alerts=alerts)


def body(*alerts: Alert) -> bytes:
    """The same delivery as Alertmanager writes it."""
    rows = [
        {
            "status": one.status.value,
            "labels": one.labels,
            "annotations": one.annotations,
            "startsAt": one.starts_at.isoformat(),
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": one.generator_url,
            "fingerprint": one.fingerprint,
        }
        for one in alerts
    ]
    return orjson.dumps({"version": "4", "groupKey": "{}:{}", "receiver": "healer", "alerts": rows})


@dataclass
class House:
    """The engine and everything around it. `life()` runs it; leaving that is a kill -9."""

    disk: Disk = field(default_factory=Disk)
    timeline: Timeline = field(default_factory=MemoryTimeline)
    playbooks: Sequence[Playbook] = (PLAYBOOK,)
    services: Sequence[Service] = (SERVICE,)
    guard: FakeGuard = field(default_factory=FakeGuard)
    notifiers: Sequence[Notifier] = ()
    effect: Effect = Effect.REVERSIBLE
    dry_run: bool = False
    budget: BudgetGuard = field(default_factory=lambda: BudgetGuard(fleet=1))
    house_guards: tuple[GuardSpec, ...] = (
        GuardSpec(guard="paused"),
        GuardSpec(guard="fake"),
    )
    parse: Callable[[bytes], AlertGroup] = parse
    receipts: list[Receipt] = field(default_factory=list[Receipt])
    clock: LoopClock = field(init=False)
    journal: Journal = field(init=False)
    desk: Desk = field(init=False)
    dispatcher: Dispatcher = field(init=False)

    @asynccontextmanager
    async def life(self, *, clock: LoopClock | None = None) -> AsyncGenerator["House"]:
        """From start to sudden death."""
        self.clock = clock or LoopClock()
        late: list[Dispatcher] = []
        self.journal = Journal(timeline=self.timeline, clock=self.clock, observers=(_Late(late),))
        catalog = Catalog(
            services={one.name: one for one in self.services},
            current=lambda: self.playbooks,
            find=self._find,
            actions={"disk.free": FreeAction(self.disk, self.effect)},
            checks={"disk.free": FreeCheck(self.disk)},
            guards={
                "paused": PausedGuard(self.journal.pauses),
                "privileged": PrivilegedGuard(),
                "approval": ApprovalGuard(),
                "cooldown": CooldownGuard(),
                "budget": self.budget,
                "fake": self.guard,
            },
            house_guards=self.house_guards,
            dry_run=self.dry_run,
        )
        self.dispatcher = Dispatcher(
            journal=self.journal,
            catalog=catalog,
            clock=self.clock,
            reading=Reading(parse=self.parse, counted=self.receipts.append),
            notifiers=self.notifiers,
        )
        late.append(self.dispatcher)
        self.desk = Desk(dispatcher=self.dispatcher, journal=self.journal)
        timer = LoopTimer(self.clock, self.dispatcher.ring)
        running = asyncio.ensure_future(self.dispatcher.run(timer))
        await asyncio.sleep(0)
        try:
            yield self
        finally:
            await _kill(running)

    async def accept(self, groups: Sequence[AlertGroup]) -> Receipt:
        """Sorted when it returns."""
        return await self.dispatcher.accept(groups)

    def _find(self, name: str, digest: str) -> Playbook | None:
        wanted = (name, digest)
        return next((one for one in self.playbooks if (one.name, one.digest) == wanted), None)

    @property
    def incidents(self) -> Sequence[Incident]:
        return tuple(one for one in self.journal.all() if one.key)

    @property
    def incident(self) -> Incident:
        (only,) = self.incidents
        return only

    def is_in(self, state: IncidentState) -> bool:
        """Where does the one incident stand now?"""
        return self.incident.state is state

    async def events(self, incident: IncidentId | None = None) -> Sequence[Event]:
        entries = await self.entries(incident)
        return [entry.event for entry in entries]

    async def entries(self, incident: IncidentId | None = None) -> Sequence[Entry]:
        return await self.timeline.read(incident or self.incident.id)

    async def story(self, incident: IncidentId | None = None) -> list[str]:
        """The names of what happened, in order."""
        return [type(event).__name__ for event in await self.events(incident)]


async def _kill(running: "asyncio.Future[None]") -> None:
    """Every task but the caller's ends where it stands, as with kill -9."""
    mine = asyncio.current_task()
    while others := [task for task in asyncio.all_tasks() if task is not mine]:
        for task in others:
            task.cancel()
        await asyncio.wait(others)
    with suppress(asyncio.CancelledError):
        await running


@dataclass
class _Late:
    """The dispatcher observes the journal that it is built upon."""

    dispatchers: list[Dispatcher]

    def see(self, entry: Entry, incident: Incident) -> None:
        for dispatcher in self.dispatchers:
            dispatcher.see(entry, incident)
