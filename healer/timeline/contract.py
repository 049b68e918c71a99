"""What the engine asks of the record. One suite of tests runs over every adapter."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from healer.model.delivery import Delivery
from healer.model.event import Draft, Entry, IncidentId, IncidentKey


class Timeline(Protocol):
    """An append-only record of incidents, readable by others as soon as an append returned."""

    async def append(self, drafts: Sequence[Draft], *, of: Sequence[int] = ()) -> Sequence[Entry]:
        """Write all drafts or none; when this returns they survive kill -9 and power loss.

        `of` are the deliveries that were sorted into these lines, or into none: with the very
        same write they stop being `delivered`. Unknown numbers are no harm.

        Drafts of one call may be of several incidents, and several of one incident (each `after`
        the one before it). ConflictError where an incident's last entry is not number `after`,
        and where an Opened has a key that another open incident has; TimelineError where it
        could not be written. After a TimelineError it is unknown whether it was: read again.
        """
        ...

    async def deliver(self, body: bytes) -> int:
        """Keep a delivery as it came, as durably as `append`; its number, above all before it."""
        ...

    async def delivered(self, *, after: int = 0, limit: int = 256) -> Sequence[Delivery]:
        """Deliveries that were not sorted yet, with number > after, in order."""
        ...

    async def read(self, incident: IncidentId, *, after: int = 0) -> Sequence[Entry]:
        """The incident's entries with seq > after, in order; empty for an unknown one."""
        ...

    async def find_open(self, key: IncidentKey) -> IncidentId | None:
        """The incident with that key that has no Closed entry."""
        ...

    async def unfinished(self) -> Sequence[IncidentId]:
        """Incidents opened but not Archived, oldest first; of closed ones people may not know."""
        ...

    async def latest(self, *, limit: int, before: int | None = None) -> Sequence[Entry]:
        """First entries (Opened) of incidents, newest first; those with position < before."""
        ...

    async def changed_since(self, moment: datetime) -> Sequence[IncidentId]:
        """Incidents that have an entry at or after `moment`, oldest first."""
        ...

    async def follow(self, *, after: int, limit: int = 1000) -> Sequence[Entry]:
        """Entries of all incidents with position > after, in order of position."""
        ...

    async def close(self) -> None:
        """Finish what is being written, and let go of files and threads."""
        ...
