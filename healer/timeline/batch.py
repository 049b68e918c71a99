"""One transaction of many appends: each is whole or refused, and the others do not suffer."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, islice

from healer.errors import TimelineError
from healer.model.event import Archived, Closed, Draft, IncidentId, IncidentKey, Opened
from healer.timeline.ledger import Ledger

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

_KNOWN = """
SELECT (SELECT json_group_array(json_array(
          value, ifnull((SELECT max(seq) FROM entry WHERE incident = value), 0)))
        FROM json_each(?)),
       (SELECT json_group_array(json_array(key, id))
        FROM incident WHERE closed = 0 AND key IN (SELECT value FROM json_each(?))),
       ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'entry'), 0)
"""
_LAST = "SELECT ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'delivery'), 0)"
_CLOSE = "UPDATE incident SET closed = 1 WHERE id IN (SELECT value FROM json_each(?))"
_ARCHIVE = "UPDATE incident SET archived = 1 WHERE id IN (SELECT value FROM json_each(?))"
_OPEN = """
INSERT INTO incident (key, id, opened, closed, archived)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?)
"""
_ENTRY = "INSERT INTO entry (position, incident, seq, at, event) VALUES "
_DELIVERY = "INSERT INTO delivery (number, body) VALUES "
_SORTED = "DELETE FROM delivery WHERE number IN (SELECT value FROM json_each(?))"
_ROWS = (256, 128, 64, 32, 16, 8, 4, 2, 1)
"""Rows per statement: few sizes, so that statements stay prepared, and few steps for any number."""

Row = tuple[int | str | bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One call of `append`: its drafts, and the line of each."""

    drafts: Sequence[Draft]
    lines: Sequence[bytes]
    size: int
    of: Sequence[int] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One call of `deliver`."""

    body: bytes

    @property
    def size(self) -> int:
        """In octets."""
        return len(self.body)


def key_text(key: IncidentKey) -> str:
    """A text for the key that no other key has, whatever is in its parts."""
    target = key.target
    return json.dumps([key.service, key.playbook, target.namespace, target.kind, target.name])


def write(
    connection: sqlite3.Connection, asks: Sequence[Ask | Post]
) -> Sequence[int | TimelineError]:
    """Commit all that can be; for each its number, or why it was refused.

    That of a delivery is its own, that of an append the position of its first line.
    """
    connection.execute("BEGIN IMMEDIATE")
    posted = iter(_post(connection, [ask for ask in asks if isinstance(ask, Post)]))
    appended = iter(_append(connection, [ask for ask in asks if isinstance(ask, Ask)]))
    answers = [next(posted if isinstance(ask, Post) else appended) for ask in asks]
    connection.execute("COMMIT")
    return answers


def _post(connection: sqlite3.Connection, posts: Sequence[Post]) -> Sequence[int]:
    """The numbers of the deliveries."""
    if not posts:
        return ()
    (last,) = connection.execute(_LAST).fetchone()
    numbers = range(last + 1, last + 1 + len(posts))
    _insert(connection, _DELIVERY, [(n, one.body) for n, one in zip(numbers, posts, strict=True)])
    return numbers


def _append(connection: sqlite3.Connection, asks: Sequence[Ask]) -> Sequence[int | TimelineError]:
    """The position of each first line, or why nothing of that call was written."""
    if not asks:
        return ()
    ledger, position = _known(connection, asks)
    answers: list[int | TimelineError] = []
    rows: list[Row] = []
    placed: list[tuple[Draft, int]] = []
    sorted_: list[int] = []
    for ask in asks:
        try:
            ledger.admit(ask.drafts)
        except TimelineError as error:
            answers.append(error)
            continue
        answers.append(position + 1)
        sorted_.extend(ask.of)
        for draft, line in zip(ask.drafts, ask.lines, strict=True):
            position += 1
            at = (draft.at - EPOCH) // MICROSECOND
            rows.append((position, draft.incident, draft.after + 1, at, line))
            placed.append((draft, position))
    _insert(connection, _ENTRY, rows)
    _index(connection, placed)
    if sorted_:
        connection.execute(_SORTED, (json.dumps(sorted_),))
    return answers


def _known(connection: sqlite3.Connection, asks: Sequence[Ask]) -> tuple[Ledger, int]:
    """What the asks depend on, in one statement."""
    incidents: set[IncidentId] = set()
    keys: dict[str, IncidentKey] = {}
    for draft in chain.from_iterable(ask.drafts for ask in asks):
        incidents.add(draft.incident)
        if isinstance(draft.event, Opened):
            keys[key_text(draft.event.key)] = draft.event.key
    wanted = (json.dumps(list(incidents)), json.dumps(list(keys)))
    heads, held, position = connection.execute(_KNOWN, wanted).fetchone()
    holders = {keys[text]: IncidentId(incident) for text, incident in json.loads(held)}
    return Ledger.of(json.loads(heads), holders), position


def _insert(connection: sqlite3.Connection, into: str, rows: Sequence[Row]) -> None:
    left = iter(rows)
    places = f"({','.join('?' * len(rows[0]))})" if rows else ""
    for size in _ROWS:
        statement = into + ",".join([places] * size)
        for _ in range(len(rows) // size):
            connection.execute(statement, list(chain.from_iterable(islice(left, size))))
        rows = rows[len(rows) // size * size :]


def _index(connection: sqlite3.Connection, placed: Iterable[tuple[Draft, int]]) -> None:
    """Keep the table of incidents in step: first what frees a key, then what takes one."""
    opened: dict[IncidentId, tuple[str, int]] = {}
    closed: set[IncidentId] = set()
    archived: set[IncidentId] = set()
    for draft, position in placed:
        match draft.event:
            case Opened(key=key):
                opened[draft.incident] = (key_text(key), position)
            case Closed():
                closed.add(draft.incident)
            case Archived():
                archived.add(draft.incident)
            case _:
                pass
    for statement, incidents in ((_CLOSE, closed), (_ARCHIVE, archived)):
        if incidents:
            connection.execute(statement, (json.dumps(list(incidents)),))
    if opened:
        new = [
            (key, incident, position, int(incident in closed), int(incident in archived))
            for incident, (key, position) in opened.items()
        ]
        connection.execute(_OPEN, (json.dumps(new),))
