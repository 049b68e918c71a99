"""What people may ask and order: read, approve, deny, cancel, pause. It never acts itself."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from healer.engine.dispatcher import Dispatcher
from healer.engine.journal import Journal
from healer.errors import RejectedError, TimelineError
from healer.model.event import (
    CONTROL,
    Approved,
    Closed,
    Denied,
    Ending,
    Entry,
    Event,
    IncidentId,
    Paused,
    Resumed,
)
from healer.model.incident import Incident, IncidentState
from healer.model.page import Page

SOON = timedelta(seconds=1)
"""So long a list of incidents waits for deliveries that were answered, but are not sorted yet."""


class Desk:
    """The engine as the edge sees it. Orders are lines in the timeline like everything else."""

    def __init__(self, *, dispatcher: Dispatcher, journal: Journal) -> None:
        self._dispatcher = dispatcher
        self._journal = journal

    async def deliver(self, body: bytes) -> int:
        """Durable when it returns. TimelineError, UnavailableError: send it again."""
        return await self._dispatcher.deliver(body)

    async def approve(self, incident: IncidentId, *, by: str) -> None:
        """Let a run go on that a guard asked about."""
        await self._answer(incident, Approved(by=by))

    async def deny(self, incident: IncidentId, *, by: str, reason: str) -> None:
        """Say no to it."""
        await self._answer(incident, Denied(by=by, reason=reason))

    async def cancel(self, incident: IncidentId, *, by: str, reason: str) -> None:
        """An operator takes over: the step in flight ends, and nothing follows it."""
        known = await self._find(incident)
        if known.closed:
            raise RejectedError(f"{incident} is closed already", reason="Closed")
        ending = Closed(ending=Ending.CANCELLED, reason=f"{by} took over: {reason}")
        await self._journal.decide(known, ending)
        self._dispatcher.wake(incident)

    async def pause(self, *, by: str, reason: str, service: str = "") -> None:
        """Stop all remediation, or that of one service."""
        await self._journal.record(CONTROL, Paused(by=by, reason=reason, service=service))

    async def resume(self, *, by: str, service: str = "") -> None:
        """End that pause, and look again at all that was held."""
        if service not in {paused.service for paused in self._journal.pauses()}:
            what = service or "the daemon"
            raise RejectedError(f"{what} is not paused", reason="NotPaused")
        await self._journal.record(CONTROL, Resumed(by=by, service=service))
        for incident in self._journal.all():
            if incident.key and incident.closed is None:
                self._dispatcher.wake(incident.id)

    async def incident(self, incident: IncidentId) -> Incident | None:
        """None for an unknown one."""
        known = await self._journal.look_up(incident)
        return known if known and known.key else None

    async def entries(self, incident: IncidentId, *, after: int = 0) -> Sequence[Entry]:
        """Its entries with seq > after, in order."""
        return await self._journal.entries(incident, after=after)

    async def incidents(
        self,
        *,
        limit: int,
        before: int | None = None,
        state: IncidentState | None = None,
        service: str = "",
    ) -> Page:
        """Newest first; `before` is the cursor of the page before."""
        await self._sorted()
        found: list[Incident] = []
        while True:
            rows = await self._journal.latest(limit=limit, before=before)
            for row in rows:
                before = row.position
                incident = await self._journal.look_up(row.incident)
                if incident is not None and _fits(incident, state, service):
                    found.append(incident)
                if len(found) == limit:
                    return Page(incidents=tuple(found), cursor=before)
            if len(rows) < limit:
                return Page(incidents=tuple(found))

    def pauses(self) -> Sequence[Paused]:
        """Those in force."""
        return self._journal.pauses()

    def ready(self) -> str:
        """The empty text when ready, else the reason why not."""
        return self._dispatcher.ready

    async def changed(self, incident: IncidentId, *, after: int, timeout: timedelta) -> None:
        """Return when it has entries beyond `after`, or after `timeout`."""
        await self._journal.changed(incident, after=after, timeout=timeout)

    async def _sorted(self) -> None:
        """Whoever delivered and looks then finds it; in a storm it is not waited for."""
        with suppress(TimeoutError, TimelineError):
            async with asyncio.timeout(SOON.total_seconds()):
                await self._dispatcher.accept(())

    async def _answer(self, incident: IncidentId, answer: Event) -> None:
        known = await self._find(incident)
        if known.state is not IncidentState.ASKING:
            reason = f"{incident} asks for no approval: it is {known.state.value}"
            raise RejectedError(reason, reason="NotAsking")
        await self._journal.decide(known, answer)
        self._dispatcher.wake(incident)

    async def _find(self, incident: IncidentId) -> Incident:
        known = await self.incident(incident)
        if known is None:
            raise RejectedError(f"there is no incident {incident}", reason="NotFound")
        return known


def _fits(incident: Incident, state: IncidentState | None, service: str) -> bool:
    if incident.key is None:
        return False
    return state in (None, incident.state) and service in ("", incident.key.service)
