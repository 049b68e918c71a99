"""The timeline in one SQLite file. Writing is in `writer`; here are the door and the reads."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar, cast

from healer.errors import TimelineError
from healer.model.delivery import Delivery
from healer.model.event import Draft, Entry, IncidentId, IncidentKey
from healer.timeline.batch import EPOCH, MICROSECOND, key_text
from healer.timeline.codec import decode, encode
from healer.timeline.ledger import check
from healer.timeline.lock import Lock
from healer.timeline.schema import connect, create, migrate
from healer.timeline.writer import Backlog, Writer

Value = int | str | bytes | None
Row = tuple[Value, ...]
EntryRow = tuple[int, str, int, int, bytes]
Result = TypeVar("Result")
Use = Callable[[Sequence[Row]], Result]

_MOST = 2**63 - 1

_READ = """
SELECT position, incident, seq, at, event FROM entry
WHERE incident = ? AND seq > ? ORDER BY seq
"""
_LATEST = """
SELECT position, incident, seq, at, event FROM incident JOIN entry ON position = opened
WHERE opened < ? ORDER BY opened DESC LIMIT ?
"""
_FOLLOW = """
SELECT position, incident, seq, at, event FROM entry
WHERE position > ? ORDER BY position LIMIT ?
"""
_DELIVERED = "SELECT number, body FROM delivery WHERE number > ? ORDER BY number LIMIT ?"
_FIND_OPEN = "SELECT id FROM incident WHERE key = ? AND closed = 0"
_UNFINISHED = "SELECT id FROM incident WHERE archived = 0 ORDER BY opened"
_CHANGED = """
SELECT incident FROM entry
WHERE seq = 1 AND incident IN (SELECT incident FROM entry WHERE at >= ?) ORDER BY position
"""


class SqliteTimeline:
    """Open it with `open`. One daemon at a time, held off by a lock beside the file."""

    def __init__(self, path: Path, *, lock: Lock, backlog: Backlog) -> None:
        self._path = path
        self._lock = lock
        self._closed = False
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="timeline-reader")
        self._reading: sqlite3.Connection | None = None
        self._writer = Writer(lambda: connect(path), backlog)

    @classmethod
    async def open(cls, path: Path, *, backlog: Backlog | None = None) -> "SqliteTimeline":
        """Make or open the file; TimelineError names it where that cannot be."""
        lock = await asyncio.to_thread(_prepare, path)
        return cls(path, lock=lock, backlog=backlog or Backlog())

    async def append(self, drafts: Sequence[Draft], *, of: Sequence[int] = ()) -> Sequence[Entry]:
        """Write all drafts or none; UnavailableError where too many wait already."""
        if not (drafts or of):
            return ()
        check(drafts)
        lines = [encode(draft.event) for draft in drafts]
        first = await self._writer.append(drafts, lines, of=of)
        return tuple(
            Entry(
                incident=draft.incident,
                seq=draft.after + 1,
                at=draft.at,
                event=draft.event,
                position=position,
            )
            for position, draft in enumerate(drafts, start=first)
        )

    async def deliver(self, body: bytes) -> int:
        """Keep a delivery as it came; UnavailableError where too many writes wait already."""
        return await self._writer.deliver(body)

    async def delivered(self, *, after: int = 0, limit: int = 256) -> Sequence[Delivery]:
        """Deliveries that were not sorted yet, with number > after, in order."""
        return await self._ask(_DELIVERED, (after, max(limit, 0)), _deliveries)

    async def read(self, incident: IncidentId, *, after: int = 0) -> Sequence[Entry]:
        """The incident's entries with seq > after, in order."""
        return await self._ask(_READ, (incident, after), _decoded)

    async def find_open(self, key: IncidentKey) -> IncidentId | None:
        """The incident with that key that has no Closed entry."""
        found = await self._ask(_FIND_OPEN, (key_text(key),), _names)
        return found[0] if found else None

    async def unfinished(self) -> Sequence[IncidentId]:
        """Incidents opened but not Archived, oldest first."""
        return await self._ask(_UNFINISHED, (), _names)

    async def latest(self, *, limit: int, before: int | None = None) -> Sequence[Entry]:
        """First entries (Opened) of incidents, newest first; those with position < before."""
        bound = _MOST if before is None else before
        return await self._ask(_LATEST, (bound, max(limit, 0)), _decoded)

    async def changed_since(self, moment: datetime) -> Sequence[IncidentId]:
        """Incidents that have an entry at or after `moment`, oldest first."""
        return await self._ask(_CHANGED, ((moment - EPOCH) // MICROSECOND,), _names)

    async def follow(self, *, after: int, limit: int = 1000) -> Sequence[Entry]:
        """Entries of all incidents with position > after, in order of position."""
        return await self._ask(_FOLLOW, (after, max(limit, 0)), _decoded)

    async def close(self) -> None:
        """Finish what is being written, and let go of the file, the lock and the threads."""
        if self._closed:
            return
        self._closed = True
        await self._writer.close()
        await asyncio.get_running_loop().run_in_executor(self._reader, self._forget)
        self._reader.shutdown(wait=True)
        self._lock.release()

    async def _ask(self, statement: str, values: Sequence[Value], use: Use[Result]) -> Result:
        if self._closed:
            message = f"{self._path}: the timeline is closed"
            raise TimelineError(message)
        fitting = [
            max(-_MOST, min(value, _MOST)) if isinstance(value, int) else value for value in values
        ]
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reader, self._fetch, statement, fitting, use)

    def _fetch(self, statement: str, values: Sequence[Value], use: Use[Result]) -> Result:
        try:
            if self._reading is None:
                self._reading = connect(self._path)
                self._reading.execute("PRAGMA query_only = 1")
            return use(self._reading.execute(statement, values).fetchall())
        except UnicodeEncodeError:
            return use([])  # a lone surrogate: no incident has such a name
        except (sqlite3.Error, MemoryError) as error:
            self._forget()
            message = f"{self._path}: the timeline cannot be read: {error}"
            raise TimelineError(message) from error

    def _forget(self) -> None:
        connection, self._reading = self._reading, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()


def _prepare(path: Path) -> Lock:
    lock = Lock(path)
    try:
        create(path)
        connection = connect(path)
        try:
            migrate(connection, path)
        finally:
            connection.close()
    except sqlite3.Error as error:
        lock.release()
        message = f"{path}: the timeline cannot be opened: {error}"
        raise TimelineError(message) from error
    except TimelineError:
        lock.release()
        raise
    return lock


def _decoded(rows: Sequence[Row]) -> Sequence[Entry]:
    return tuple(map(_entry, cast("Sequence[EntryRow]", rows)))


def _entry(row: EntryRow) -> Entry:
    position, incident, seq, at, line = row
    try:
        event = decode(line)
    except TimelineError as error:
        message = f"incident {incident}, line {seq}: {error}"
        raise TimelineError(message) from error
    moment = EPOCH + timedelta(microseconds=at)
    return Entry(incident=IncidentId(incident), seq=seq, at=moment, event=event, position=position)


def _deliveries(rows: Sequence[Row]) -> Sequence[Delivery]:
    return tuple(Delivery(*row) for row in cast("Sequence[tuple[int, bytes]]", rows))


def _names(rows: Sequence[Row]) -> Sequence[IncidentId]:
    return tuple(IncidentId(name) for (name,) in cast("Sequence[tuple[str]]", rows))
