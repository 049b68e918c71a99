"""One transaction, few statements, and only the offender is refused."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from healer.errors import ConflictError
from healer.model.event import Draft, Event, IncidentId, NothingMatched, Opened
from healer.timeline.batch import Ask, write
from healer.timeline.codec import encode
from healer.timeline.schema import connect, migrate
from tests.timeline.example import AT, KEY


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    path = tmp_path / "timeline.db"
    with closing(connect(path)) as connection:
        migrate(connection, path)
        yield connection


def ask(*lines: tuple[str, int, Event]) -> Ask:
    drafts = [
        Draft(incident=IncidentId(incident), after=after, at=AT, event=event)
        for incident, after, event in lines
    ]
    encoded = [encode(draft.event) for draft in drafts]
    return Ask(drafts=drafts, lines=encoded, size=sum(map(len, encoded)))


def said(text: str = "x") -> NothingMatched:
    return NothingMatched(reason=text)


def test_many_appends_share_one_commit(connection: sqlite3.Connection) -> None:
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    answers = write(connection, [ask((str(number), 0, said())) for number in range(300)])
    assert answers == list(range(1, 301))
    assert statements.count("COMMIT") == 1
    assert len(statements) < 20
    assert connection.execute("SELECT count(*) FROM entry").fetchone() == (300,)


def test_only_the_offender_is_refused(connection: sqlite3.Connection) -> None:
    write(connection, [ask(("a", 0, said()))])
    answers = write(
        connection,
        [
            ask(("b", 0, said()), ("a", 1, said())),
            ask(("c", 0, said()), ("a", 1, said("too late"))),
            ask(("c", 0, said("it is free"))),
        ],
    )
    assert answers[0] == 2
    assert isinstance(answers[1], ConflictError)
    assert answers[2] == 4
    found = connection.execute("SELECT incident, seq FROM entry ORDER BY position").fetchall()
    assert found == [("a", 1), ("b", 1), ("a", 2), ("c", 1)]


def test_a_batch_of_refusals_writes_nothing(connection: sqlite3.Connection) -> None:
    answers = write(connection, [ask(("a", 7, said()))])
    assert isinstance(answers[0], ConflictError)
    assert not connection.in_transaction
    assert connection.execute("SELECT count(*) FROM entry").fetchone() == (0,)


def test_the_tables_themselves_forbid_two_open_incidents_of_one_key(
    connection: sqlite3.Connection,
) -> None:
    write(connection, [ask(("a", 0, Opened(key=KEY, severity="")))])
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute("INSERT INTO incident SELECT 'b', key, 1, 0, 0 FROM incident")


def test_numbers_are_never_used_twice(connection: sqlite3.Connection) -> None:
    write(connection, [ask(("a", 0, said())), ask(("b", 0, said()))])
    connection.execute("DELETE FROM entry WHERE incident = 'b'")
    assert write(connection, [ask(("c", 0, said()))]) == [3]
