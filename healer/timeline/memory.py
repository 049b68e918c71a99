"""The timeline without a disk, for tests and replays. Nothing survives the process."""

from collections.abc import Sequence
from datetime import datetime
from itertools import islice

from healer.model.delivery import Delivery
from healer.model.event import Archived, Draft, Entry, Event, IncidentId, IncidentKey, Opened
from healer.timeline.codec import decode, encode
from healer.timeline.ledger import Ledger, check


class MemoryTimeline:
    """Lists in memory. It outlives `close`: a test can start a second daemon over one record."""

    def __init__(self) -> None:
        self._ledger = Ledger()
        self._entries: list[Entry] = []
        self._lines: dict[IncidentId, list[Entry]] = {}
        self._unfinished: dict[IncidentId, None] = {}
        self._delivered: dict[int, bytes] = {}
        self._deliveries = 0

    async def append(self, drafts: Sequence[Draft], *, of: Sequence[int] = ()) -> Sequence[Entry]:
        """Write all drafts or none."""
        check(drafts)
        events = [decode(encode(draft.event)) for draft in drafts]  # what a file would give back
        self._ledger.admit(drafts)
        for number in of:
            self._delivered.pop(number, None)
        return tuple(map(self._write, drafts, events))

    async def deliver(self, body: bytes) -> int:
        """Keep a delivery as it came; its number."""
        self._deliveries += 1
        self._delivered[self._deliveries] = body
        return self._deliveries

    async def delivered(self, *, after: int = 0, limit: int = 256) -> Sequence[Delivery]:
        """Deliveries that were not sorted yet, with number > after, in order."""
        found = (Delivery(*one) for one in self._delivered.items() if one[0] > after)
        return tuple(islice(found, max(limit, 0)))

    async def read(self, incident: IncidentId, *, after: int = 0) -> Sequence[Entry]:
        """The incident's entries with seq > after, in order."""
        return tuple(self._lines.get(incident, ())[max(after, 0) :])

    async def find_open(self, key: IncidentKey) -> IncidentId | None:
        """The incident with that key that has no Closed entry."""
        return self._ledger.holders.get(key)

    async def unfinished(self) -> Sequence[IncidentId]:
        """Incidents opened but not Archived, oldest first."""
        return tuple(self._unfinished)

    async def latest(self, *, limit: int, before: int | None = None) -> Sequence[Entry]:
        """First entries (Opened) of incidents, newest first; those with position < before."""
        first = (lines[0] for lines in reversed(self._lines.values()))
        found = (
            entry
            for entry in first
            if isinstance(entry.event, Opened) and (before is None or entry.position < before)
        )
        return tuple(entry for entry, _ in zip(found, range(limit), strict=False))

    async def changed_since(self, moment: datetime) -> Sequence[IncidentId]:
        """Incidents that have an entry at or after `moment`, oldest first."""
        return tuple(
            incident
            for incident, lines in self._lines.items()
            if any(entry.at >= moment for entry in lines)
        )

    async def follow(self, *, after: int, limit: int = 1000) -> Sequence[Entry]:
        """Entries of all incidents with position > after, in order of position."""
        start = max(after, 0)
        return tuple(self._entries[start : start + max(limit, 0)])

    async def close(self) -> None:
        """Nothing to let go of."""

    def _write(self, draft: Draft, event: Event) -> Entry:
        entry = Entry(
            incident=draft.incident,
            seq=draft.after + 1,
            at=draft.at,
            event=event,
            position=len(self._entries) + 1,
        )
        self._entries.append(entry)
        self._lines.setdefault(entry.incident, []).append(entry)
        match entry.event:
            case Opened():
                self._unfinished[entry.incident] = None
            case Archived():
                self._unfinished.pop(entry.incident, None)
            case _:
                pass
        return entry
