"""What the HTTP edge asks of the engine, and of the words that people read. No HTTP in here."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from healer.model.event import Entry, Event, IncidentId, Paused
from healer.model.incident import Incident, IncidentState
from healer.model.page import Page


class Desk(Protocol):
    """The engine as the edge sees it. RejectedError carries a reason: NotFound, NotAsking, ..."""

    async def deliver(self, body: bytes) -> int:
        """Durable when it returns a number. TimelineError, UnavailableError: send it again."""
        ...

    async def approve(self, incident: IncidentId, *, by: str) -> None:
        """Let a run go on that a guard asked about."""
        ...

    async def deny(self, incident: IncidentId, *, by: str, reason: str) -> None:
        """Say no to it."""
        ...

    async def cancel(self, incident: IncidentId, *, by: str, reason: str) -> None:
        """An operator takes over: healer ends what it does there."""
        ...

    async def pause(self, *, by: str, reason: str, service: str = "") -> None:
        """Stop all remediation, or that of one service."""
        ...

    async def resume(self, *, by: str, service: str = "") -> None:
        """End that pause."""
        ...

    async def incident(self, incident: IncidentId) -> Incident | None:
        """None for an unknown one."""
        ...

    async def entries(self, incident: IncidentId, *, after: int = 0) -> Sequence[Entry]:
        """Its entries with seq > after, in order."""
        ...

    async def incidents(
        self,
        *,
        limit: int,
        before: int | None = None,
        state: IncidentState | None = None,
        service: str = "",
    ) -> Page:
        """Newest first; `before` is the cursor of the page before."""
        ...

    def pauses(self) -> Sequence[Paused]:
        """Those in force."""
        ...

    def ready(self) -> str:
        """The empty text when ready, else the reason why not."""
        ...

    async def changed(self, incident: IncidentId, *, after: int, timeout: timedelta) -> None:
        """Return when it has entries beyond `after`, or after `timeout`."""
        ...


class Words(Protocol):
    """How people are told. The same words everywhere: in Slack, on the page, in the terminal."""

    def say(self, event: Event) -> str | None:
        """What happened, without the time; None for what people need not read."""
        ...

    def detail(self, event: Event) -> str:
        """The same, also of what people need not read: for the whole timeline."""
        ...

    def headline(self, incident: Incident) -> str:
        """The whole incident in one line."""
        ...
