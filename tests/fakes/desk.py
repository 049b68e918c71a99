"""The engine as the edge sees it, in memory: incidents are folds of entries, as in the real one."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from healer.errors import HealerError, RejectedError
from healer.intake.payload import parse
from healer.model.alert import Alert, AlertGroup
from healer.model.event import (
    AlertsReceived,
    Approved,
    Archived,
    Closed,
    Denied,
    Ending,
    Entry,
    Event,
    IncidentId,
    IncidentKey,
    Judged,
    Opened,
    Paused,
)
from healer.model.incident import Incident, IncidentState, fold
from healer.model.outcome import Decision, Verdict
from healer.model.page import Page
from healer.model.service import Target

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class FakeDesk:
    """One incident an alert name; an alert without a `service` label is nobody's.

    `broken` is raised by every call that would write; while `hold` is set, `deliver` waits for it.
    `waiting` deliveries and `readers` of streams wait at this moment.
    """

    def __init__(self) -> None:
        self.timelines: dict[IncidentId, list[Entry]] = {}
        self.received: list[AlertGroup] = []
        self.broken: HealerError | Exception | None = None
        self.hold: asyncio.Event | None = None
        self.waiting = 0
        self.readers = 0
        self.unready = ""
        self._pauses: dict[str, Paused] = {}
        self._news = asyncio.Condition()

    async def deliver(self, body: bytes) -> int:
        self.waiting += 1
        try:
            if self.hold is not None:
                await self.hold.wait()
        finally:
            self.waiting -= 1
        self._check()
        group = parse(body)
        self.received.append(group)
        for alert in group.alerts:
            await self._take(group, alert)
        return len(self.received)

    async def approve(self, incident: IncidentId, *, by: str) -> None:
        self._check()
        if self._known(incident).state is not IncidentState.ASKING:
            raise RejectedError(f"{incident} does not ask", reason="NotAsking")
        await self.add(incident, Approved(by=by))

    async def deny(self, incident: IncidentId, *, by: str, reason: str) -> None:
        self._check()
        if self._known(incident).state is not IncidentState.ASKING:
            raise RejectedError(f"{incident} does not ask", reason="NotAsking")
        await self.add(incident, Denied(by=by, reason=reason))

    async def cancel(self, incident: IncidentId, *, by: str, reason: str) -> None:
        self._check()
        if self._known(incident).closed:
            raise RejectedError(f"{incident} is closed", reason="Closed")
        await self.add(incident, Closed(ending=Ending.CANCELLED, reason=f"{by}: {reason}"))
        await self.add(incident, Archived())

    async def pause(self, *, by: str, reason: str, service: str = "") -> None:
        self._check()
        self._pauses[service] = Paused(by=by, reason=reason, service=service)

    async def resume(self, *, by: str, service: str = "") -> None:
        self._check()
        if self._pauses.pop(service, None) is None:
            raise RejectedError("nothing is paused", reason="NotPaused")

    async def incident(self, incident: IncidentId) -> Incident | None:
        entries = self.timelines.get(incident)
        return None if entries is None else fold(incident, entries)

    async def entries(self, incident: IncidentId, *, after: int = 0) -> Sequence[Entry]:
        return tuple(self.timelines.get(incident, ())[after:])

    async def incidents(
        self,
        *,
        limit: int,
        before: int | None = None,
        state: IncidentState | None = None,
        service: str = "",
    ) -> Page:
        found = [
            (entries[0].position, fold(incident, entries))
            for incident, entries in reversed(self.timelines.items())
            if before is None or entries[0].position < before
        ]
        fitting = [
            (position, one)
            for position, one in found
            if (state is None or one.state is state)
            and (not service or (one.key is not None and one.key.service == service))
        ]
        shown = fitting[:limit]
        cursor = shown[-1][0] if len(fitting) > limit else None
        return Page(incidents=tuple(one for _, one in shown), cursor=cursor)

    def pauses(self) -> Sequence[Paused]:
        return tuple(self._pauses.values())

    def ready(self) -> str:
        return self.unready

    async def changed(self, incident: IncidentId, *, after: int, timeout: timedelta) -> None:
        self.readers += 1
        try:
            async with asyncio.timeout(timeout.total_seconds()), self._news:
                await self._news.wait_for(lambda: len(self.timelines.get(incident, ())) > after)
        except TimeoutError:
            return
        finally:
            self.readers -= 1

    async def add(self, incident: IncidentId, event: Event) -> Entry:
        """Append one line, as the engine would."""
        entries = self.timelines.setdefault(incident, [])
        position = sum(map(len, self.timelines.values())) + 1
        at = START + timedelta(seconds=position)
        entry = Entry(
            incident=incident, seq=len(entries) + 1, at=at, event=event, position=position
        )
        entries.append(entry)
        async with self._news:
            self._news.notify_all()
        return entry

    async def open(self, name: str = "INC-1", *, service: str = "llm") -> IncidentId:
        """An incident that has just begun."""
        incident = IncidentId(name)
        target = Target(namespace="production", kind="deployment", name=service)
        key = IncidentKey(service=service, playbook="queue", target=target)
        await self.add(incident, Opened(key=key, severity="critical"))
        return incident

    async def asking(self, name: str = "INC-1") -> IncidentId:
        """An incident that waits for a person."""
        incident = await self.open(name)
        verdict = Verdict(guard="mode", decision=Decision.ASK, reason="the playbook asks first")
        await self.add(incident, Judged(step=None, decision=Decision.ASK, verdicts=(verdict,)))
        return incident

    async def _take(self, group: AlertGroup, alert: Alert) -> None:
        service = alert.labels.get("service")
        if service is None:
            return
        incident = IncidentId(f"INC-{alert.name}")
        known = await self.incident(incident)
        if known is None:
            await self.open(incident, service=service)
        elif known.alerts.get(alert.fingerprint) == alert:
            return
        await self.add(incident, AlertsReceived(alerts=(alert,), group=group.key))

    def _known(self, incident: IncidentId) -> Incident:
        if incident not in self.timelines:
            raise RejectedError(f"no incident {incident!r}", reason="NotFound")
        return fold(incident, self.timelines[incident])

    def _check(self) -> None:
        if self.broken is not None:
            raise self.broken
