"""Plays one case: the whole engine, in virtual time, until nothing more can happen in it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from healer.engine.catalog import Catalog
from healer.engine.desk import Desk
from healer.engine.dispatcher import Dispatcher
from healer.engine.journal import Journal
from healer.errors import RejectedError
from healer.guard.maintenance import Maintenance
from healer.guard.post import Surroundings
from healer.kit.duration import format_duration
from healer.model.alert import AlertGroup
from healer.model.event import Entry, StepFinished
from healer.model.incident import Incident, IncidentState
from healer.model.outcome import Result
from healer.model.playbook import Playbook
from healer.model.service import Service
from healer.rehearse.contract import Cast
from healer.rehearse.schema import CasePart, ThenPart
from healer.rehearse.time import LoopClock, LoopTimer, VirtualLoop
from healer.rehearse.world import ScriptedAction, ScriptedCheck, World

HORIZON = timedelta(hours=24)
"""A case that still goes on then, and does not say `until`, never runs out."""

SILENCE = timedelta(minutes=5)
"""So long nothing more may happen before a case is over."""

_AUTHOR = "the case"


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """What is played: a case, and the playbooks and services it is about."""

    case: CasePart
    playbooks: Sequence[Playbook]
    services: Sequence[Service]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One incident: what became of it, and every line of its timeline."""

    incident: Incident
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What came: the stories in order of opening, and what was wrong with the case itself."""

    stories: tuple[Story, ...]
    world: World
    complaints: tuple[str, ...]
    lasted: timedelta


def play(what: Play, cast: Cast) -> Account:
    """Play it from beginning to end; takes milliseconds, whatever time passes in it."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_Stage(what, cast).run())


@dataclass
class _Stage:
    """Everything there is in one case; an Observer of the journal."""

    what: Play
    cast: Cast
    pending: list[ThenPart] = field(default_factory=list[ThenPart])
    dispatcher: Dispatcher | None = None

    async def run(self) -> Account:
        case = self.case
        self.clock = LoopClock(case.given.start)
        self.moved = asyncio.Event()
        self.due: asyncio.Queue[ThenPart] = asyncio.Queue()
        self.pending = list(case.then)
        self.world = World(
            clock=self.clock,
            answers=dict(case.world),
            outcomes={
                step: part if isinstance(part, list) else [part]
                for step, part in case.steps.items()
            },
            silenced=case.given.silenced,
        )
        self.journal = Journal(timeline=self.cast.timeline(), clock=self.clock, observers=(self,))
        dispatcher = Dispatcher(journal=self.journal, catalog=self._catalog(), clock=self.clock)
        self.dispatcher = dispatcher
        self.desk = Desk(dispatcher=dispatcher, journal=self.journal)
        timer = LoopTimer(self.clock, dispatcher.ring)
        async with asyncio.TaskGroup() as group:
            working = group.create_task(dispatcher.run(timer))
            directing = group.create_task(self._direct())
            await self._begin()
            await self._end()
            working.cancel()
            directing.cancel()
        return await self._account()

    @property
    def case(self) -> CasePart:
        return self.what.case

    def see(self, entry: Entry, incident: Incident) -> None:
        """Every line of the timeline: some of them make something happen in the world."""
        if self.dispatcher is not None:
            self.dispatcher.see(entry, incident)
        self.moved.set()
        event = entry.event
        if isinstance(event, StepFinished) and event.outcome.result is Result.SUCCEEDED:
            for part in self.case.then:
                if part.after == event.step:
                    self._later(part, part.delay)

    async def _begin(self) -> None:
        given = self.case.given
        if given.paused:
            await self.desk.pause(by=_AUTHOR, reason=given.paused)
        first = self.world.fire(self.case.alerts)
        for part in self.case.then:
            if part.at is not None:
                self._later(part, part.at + part.delay)
        await self._accept(first)

    def _later(self, part: ThenPart, delay: timedelta) -> None:
        """What checks see changes with the step itself; what people do comes after."""
        if not delay:
            self._happen(part)
        else:
            loop = asyncio.get_running_loop()
            loop.call_later(delay.total_seconds(), self._happen, part)

    def _happen(self, part: ThenPart) -> None:
        world = self.world
        world.answers = {**world.answers, **part.world}
        world.silenced = world.silenced if part.silence is None else part.silence
        if part.vanish:
            world.alerts.clear()
        self.due.put_nowait(part)

    async def _direct(self) -> None:
        """Alerts and people, one after another."""
        while True:
            part = await self.due.get()
            try:
                await self._deliver(part)
                await self._order(part)
            except RejectedError as error:
                self.world.complaints.append(f"at {self._time()}: {error}")
            self.pending = [one for one in self.pending if one is not part]
            self.moved.set()

    async def _deliver(self, part: ThenPart) -> None:
        groups = [self.world.fire(part.fire)] if part.fire else []
        if part.resolve:
            groups.append(self.world.resolve(None if part.resolve is True else part.resolve))
        if groups:
            await self._accept(*groups)

    async def _accept(self, *groups: AlertGroup) -> None:
        if self.dispatcher is not None:
            await self.dispatcher.accept(groups)

    async def _order(self, part: ThenPart) -> None:
        if part.pause:
            await self.desk.pause(by=_AUTHOR, reason=part.pause)
        if part.resume:
            await self.desk.resume(by=_AUTHOR)
        for incident in [one.id for one in self._incidents() if one.closed is None]:
            if part.approve:
                await self.desk.approve(incident, by=part.approve)
            if part.deny:
                await self.desk.deny(incident, by=part.deny.by, reason=part.deny.reason)

    async def _end(self) -> None:
        """Where the case names no end: when all of it is over, and stays so for a while."""
        if self.case.until is not None:
            await self.clock.sleep(self.case.until)
            return
        try:
            async with asyncio.timeout(HORIZON.total_seconds()):
                while not self._is_over():
                    self.moved.clear()
                    await self.moved.wait()
                    if self._is_over():
                        await self.clock.sleep(SILENCE)
        except TimeoutError:
            states = ", ".join(one.state.value for one in self._incidents()) or "not there"
            self.world.complaints.append(
                f"it never runs out: after {format_duration(HORIZON)} the incident is still "
                f"{states}; let something happen under `then`, or say `until: 10m`"
            )

    def _is_over(self) -> bool:
        waiting = any(part.at is not None for part in self.pending)
        return not waiting and all(map(_is_settled, self._incidents()))

    def _incidents(self) -> Sequence[Incident]:
        """Those of the case; pauses have a timeline of their own."""
        return [one for one in self.journal.all() if one.key is not None]

    def _time(self) -> str:
        return format_duration(self.clock.now() - self.case.given.start)

    def _catalog(self) -> Catalog:
        cast, given, playbooks = self.cast, self.case.given, self.what.playbooks
        real = cast.actions(self.clock)
        planned = _maintenance(given.maintenance, given.start) if given.maintenance else ()
        watch = cast.watch(
            Surroundings(
                fleet=len(self.what.services),
                maintenance=planned,
                pauses=self.journal.pauses,
                alerts=self.world,
            )
        )
        checks = {
            name: ScriptedCheck(name, params, cast.vocabulary.evidence.get(name, {}), self.world)
            for name, params in cast.vocabulary.checks.items()
        }
        actions = {
            name: action if name in cast.worldless else ScriptedAction(action, self.world)
            for name, action in real.items()
        }
        return Catalog(
            services={one.name: one for one in self.what.services},
            current=lambda: playbooks,
            find=self._find,
            actions=actions,
            checks=checks,
            guards=watch.guards,
            house_guards=watch.house,
            dry_run=given.dry_run,
        )

    def _find(self, name: str, digest: str) -> Playbook | None:
        wanted = (name, digest)
        return next((one for one in self.what.playbooks if (one.name, one.digest) == wanted), None)

    async def _account(self) -> Account:
        stories = [
            Story(incident=one, entries=await self.journal.entries(one.id))
            for one in self._incidents()
        ]
        never = [
            f"`then` after `{part.after}`: that step never succeeded"
            for part in self.pending
            if part.after is not None
        ]
        return Account(
            stories=tuple(sorted(stories, key=lambda one: one.entries[0].position)),
            world=self.world,
            complaints=tuple(dict.fromkeys((*self.world.complaints, *never))),
            lasted=self.clock.now() - self.case.given.start,
        )


def _is_settled(incident: Incident) -> bool:
    """Nothing follows by itself: it is closed, rehearsed, or people have it, or nothing applies."""
    if incident.closed or incident.unmatched or incident.rehearsed:
        return True
    amid = incident.run.acted and incident.run.after is None
    return incident.state is IncidentState.ESCALATED and not amid


def _maintenance(reason: str, start: datetime) -> tuple[Maintenance, ...]:
    return (Maintenance(start=start, end=start + 2 * HORIZON, reason=reason),)
