"""Incidents in memory, always the fold of what is on disk. The one way to the timeline.

Two ways to append: `decide` holds only if nothing has happened since the caller looked, `record`
states a fact that is true whatever else happened.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
    nullcontext,
    suppress,
)
from datetime import timedelta

from healer.errors import ConflictError, TimelineError, UnavailableError
from healer.guard.contract import MEMORY
from healer.kit.clock import Clock
from healer.model.delivery import Delivery
from healer.model.event import (
    CONTROL,
    Draft,
    Entry,
    Event,
    IncidentId,
    IncidentKey,
    NoticeDropped,
    NoticeSent,
    NoticeStarted,
    Opened,
    Paused,
    Resumed,
)
from healer.model.incident import Incident, fold
from healer.model.service import Target
from healer.notify.contract import Observer
from healer.timeline.contract import Timeline

_TELLING = (NoticeStarted, NoticeSent, NoticeDropped)
"""No decision depends on how far people have been told, so these lines make none stale."""


class Journal:
    """What is known of every incident that is open or was active within `memory`."""

    def __init__(
        self,
        *,
        timeline: Timeline,
        clock: Clock,
        observers: Sequence[Observer] = (),
        memory: timedelta = MEMORY,
        stopwatch: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._timeline = timeline
        self._clock = clock
        self._observers = observers
        self._memory = memory
        self._stopwatch = stopwatch
        self._known: dict[IncidentId, Incident] = {}
        self._open: dict[IncidentKey, IncidentId] = {}
        self._on: dict[Target, set[IncidentId]] = {}
        self._acting: set[IncidentId] = set()
        self._moved: dict[IncidentId, int] = {}
        self._locks: dict[IncidentId, asyncio.Lock] = {}
        self._changed: dict[IncidentId, asyncio.Event] = {}
        self._pauses: dict[str, Paused] = {}

    async def restore(self) -> Sequence[IncidentId]:
        """Fold what is on disk; returns the incidents that are not archived, oldest first."""
        for entry in await self._timeline.read(CONTROL):
            self._note_pause(entry.event)
        unfinished = await self._timeline.unfinished()
        recent = await self._timeline.changed_since(self._clock.now() - self._memory)
        for incident in dict.fromkeys((*unfinished, *recent)):
            if incident != CONTROL:
                self._remember(await self._read(incident))
        return unfinished

    def get(self, incident: IncidentId) -> Incident | None:
        """The incident as it is now, if it is in memory."""
        return self._known.get(incident)

    def find_open(self, key: IncidentKey) -> Incident | None:
        """The open incident with this key."""
        incident = self._open.get(key)
        return None if incident is None else self._known[incident]

    def all(self) -> Sequence[Incident]:
        """Every incident in memory: the open ones, and those closed lately."""
        return tuple(self._known.values())

    def beside(self, incident: IncidentId, target: Target) -> Sequence[Incident]:
        """The others in memory that a guard may ask for: those on this target, and all that act."""
        ids = (self._on.get(target, set[IncidentId]()) | self._acting) - {incident}
        return tuple(self._known[one] for one in ids)

    def pauses(self) -> Sequence[Paused]:
        """The pauses in force, the daemon's own (service '') among them."""
        return tuple(self._pauses.values())

    async def entries(self, incident: IncidentId, *, after: int = 0) -> Sequence[Entry]:
        """Its entries from disk."""
        return await self._timeline.read(incident, after=after)

    async def latest(self, *, limit: int, before: int | None = None) -> Sequence[Entry]:
        """First entries of incidents, newest first."""
        return await self._timeline.latest(limit=limit, before=before)

    async def look_up(self, incident: IncidentId) -> Incident | None:
        """The incident from memory or, if it is older, from disk; None for an unknown one."""
        known = self._known.get(incident) or await self._read(incident)
        return known if known.seq else None

    async def decide(self, incident: Incident, *events: Event) -> Incident:
        """Append what was decided upon `incident`; ConflictError if it has moved on since."""
        async with self._lock(incident.id):
            moved = self._moved.get(incident.id, self._seq(incident.id))
            if moved > incident.seq:
                raise ConflictError(f"{incident.id} is at {moved}, not at {incident.seq}")
            return (await self._append([(incident.id, events)]))[incident.id]

    async def record(
        self,
        incident: IncidentId,
        *events: Event,
        unless: Callable[[Incident], bool] = lambda _: False,
    ) -> Incident:
        """Append facts, whatever else has happened meanwhile, `unless` they are no news by now."""
        async with self._lock(incident):
            try:
                return await self._record(incident, events, unless)
            except ConflictError:  # memory was behind the disk; it has been read anew
                return await self._record(incident, events, unless)

    @asynccontextmanager
    async def holding(self, incidents: Sequence[IncidentId]) -> AsyncGenerator[None]:
        """Nobody else appends to these incidents meanwhile. In sorted order: no deadlock."""
        async with AsyncExitStack() as stack:
            for incident in sorted(set(incidents)):
                await stack.enter_async_context(self._lock(incident))
            yield

    async def append_held(
        self, lines: Sequence[tuple[IncidentId, Sequence[Event]]], *, of: Sequence[int] = ()
    ) -> Mapping[IncidentId, Incident]:
        """Append to incidents that the caller holds or has just named: all lines or none.

        With the same write the deliveries `of` which the lines were made are done with.
        """
        return await self._append(lines, of=of)

    async def deliver(self, body: bytes) -> int:
        """Keep a delivery as it came; its number. TimelineError: perhaps kept, send it again."""
        try:
            with self._stopwatch():
                return await self._timeline.deliver(body)
        except UnavailableError as error:
            raise TimelineError(str(error)) from error

    async def delivered(self, *, after: int, limit: int) -> Sequence[Delivery]:
        """Deliveries that wait to be sorted, from disk."""
        return await self._timeline.delivered(after=after, limit=limit)

    async def changed(self, incident: IncidentId, *, after: int, timeout: timedelta) -> None:
        """Return when it has entries beyond `after`, or when the time is up."""
        if (known := self._known.get(incident)) and known.seq > after:
            return
        signal = self._changed.setdefault(incident, asyncio.Event())
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                await signal.wait()
        except TimeoutError:
            return

    def forget_old(self) -> None:
        """Let go of archived incidents that no guard asks for any more."""
        limit = self._clock.now() - self._memory
        for incident in self.all():
            if incident.archived and incident.changed_at and incident.changed_at < limit:
                del self._known[incident.id]
                self._leave_target(incident)
                self._locks.pop(incident.id, None)
                self._changed.pop(incident.id, None)
                self._moved.pop(incident.id, None)

    async def _record(
        self, incident: IncidentId, events: Sequence[Event], unless: Callable[[Incident], bool]
    ) -> Incident:
        known = self._known.get(incident)
        if known is not None and unless(known):
            return known
        return (await self._append([(incident, events)]))[incident]

    async def _append(
        self, lines: Sequence[tuple[IncidentId, Sequence[Event]]], *, of: Sequence[int] = ()
    ) -> Mapping[IncidentId, Incident]:
        now = self._clock.now()
        heads: dict[IncidentId, int] = {}
        drafts: list[Draft] = []
        for incident, events in lines:
            head = heads.get(incident, self._seq(incident))
            for offset, event in enumerate(events):
                drafts.append(Draft(incident=incident, after=head + offset, at=now, event=event))
            heads[incident] = head + len(events)
        return self._take(await self._write(drafts, of))

    async def _write(self, drafts: Sequence[Draft], of: Sequence[int]) -> Sequence[Entry]:
        writing = asyncio.ensure_future(self._timeline.append(drafts, of=of))
        try:
            with self._stopwatch():
                return await asyncio.shield(writing)
        except asyncio.CancelledError:
            # Memory must not fall behind the disk because a caller went away.
            self._take(await writing)
            raise
        except UnavailableError as error:  # whatever the reason: we cannot record
            raise TimelineError(str(error)) from error
        except TimelineError:
            with suppress(TimelineError):
                await self._reread(drafts)
            raise

    def _take(self, entries: Sequence[Entry]) -> Mapping[IncidentId, Incident]:
        touched: dict[IncidentId, Incident] = {}
        for entry in entries:
            self._note_pause(entry.event)
            before = self._known.get(entry.incident, Incident(id=entry.incident))
            after = before.apply(entry)
            touched[entry.incident] = after
            if not isinstance(entry.event, _TELLING):
                self._moved[entry.incident] = entry.seq
            self._remember(after)
            for observer in self._observers:
                observer.see(entry, after)
        for incident in touched:
            if signal := self._changed.pop(incident, None):
                signal.set()
        return touched

    async def _reread(self, drafts: Sequence[Draft]) -> None:
        """After a failed append it is unknown what reached the disk: the disk is right.

        Lines found there are taken like any others, so that whoever waits for them is told; and an
        incident that is open on disk alone stops being in the way of every alert of its key.
        """
        incidents = dict.fromkeys(draft.incident for draft in drafts)
        for draft in drafts:
            if isinstance(draft.event, Opened):
                holder = await self._timeline.find_open(draft.event.key)
                incidents.update({holder: None} if holder else {})
        for incident in incidents:
            after = self._seq(incident)
            self._take(await self._timeline.read(incident, after=after))

    async def _read(self, incident: IncidentId) -> Incident:
        return fold(incident, await self._timeline.read(incident))

    def _seq(self, incident: IncidentId) -> int:
        known = self._known.get(incident)
        return known.seq if known else 0

    def _remember(self, incident: Incident) -> None:
        self._known[incident.id] = incident
        if incident.key is None:
            return
        self._on.setdefault(incident.key.target, set()).add(incident.id)
        if incident.acting:
            self._acting.add(incident.id)
        else:
            self._acting.discard(incident.id)
        if incident.closed is None:
            self._open[incident.key] = incident.id
        elif self._open.get(incident.key) == incident.id:
            del self._open[incident.key]

    def _leave_target(self, incident: Incident) -> None:
        if incident.key is None:
            return
        left = self._on[incident.key.target]
        left.discard(incident.id)
        if not left:
            del self._on[incident.key.target]

    def _note_pause(self, event: Event) -> None:
        match event:
            case Paused():
                self._pauses[event.service] = event
            case Resumed():
                self._pauses.pop(event.service, None)
            case _:
                return

    def _lock(self, incident: IncidentId) -> asyncio.Lock:
        return self._locks.setdefault(incident, asyncio.Lock())
