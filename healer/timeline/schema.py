"""The tables of the SQLite timeline: how they are made, brought up to date, and opened."""

import os
import sqlite3
from pathlib import Path

from healer.errors import TimelineError

MIGRATIONS = (
    """
    CREATE TABLE entry (
      position INTEGER PRIMARY KEY AUTOINCREMENT,  -- over all incidents; never used twice
      incident TEXT NOT NULL,
      seq INTEGER NOT NULL,
      at INTEGER NOT NULL,                         -- microseconds since 1970 in UTC
      event BLOB NOT NULL,                         -- a line of `timeline.codec`
      UNIQUE (incident, seq)
    ) STRICT;
    CREATE INDEX entry_at ON entry (at, incident);

    CREATE TABLE incident (                        -- what can be known from its entries, for search
      id TEXT PRIMARY KEY,
      key TEXT NOT NULL,
      opened INTEGER NOT NULL REFERENCES entry (position),
      closed INTEGER NOT NULL CHECK (closed IN (0, 1)),
      archived INTEGER NOT NULL CHECK (archived IN (0, 1))
    ) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX incident_open ON incident (key) WHERE closed = 0;
    CREATE INDEX incident_unfinished ON incident (opened) WHERE archived = 0;
    CREATE INDEX incident_opened ON incident (opened);
    """,
    """
    CREATE TABLE delivery (                        -- as they came; gone once they are sorted
      number INTEGER PRIMARY KEY AUTOINCREMENT,
      body BLOB NOT NULL
    ) STRICT;
    """,
)
"""The n-th brings a file from user_version n to n + 1. Only ever add."""

_OURS = 0x6865616C
"""application_id of the file: "heal"."""


def create(path: Path) -> None:
    """An empty file only its owner can read, whose name survives a power loss."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.fchmod(file, 0o600)
        os.close(file)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        os.fsync(folder)
        os.close(folder)
    except OSError as error:
        message = f"{path}: the timeline cannot be opened: {error.strerror}"
        raise TimelineError(message) from error


def connect(path: Path) -> sqlite3.Connection:
    """A connection whose commits survive power loss. Not bound to a thread: use it from one."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    try:
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error:
        connection.close()
        raise
    if mode != "wal":
        connection.close()
        message = f"{path}: the file system cannot keep a timeline: SQLite refuses WAL there"
        raise TimelineError(message)
    return connection


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the tables up to date, each step whole or not at all."""
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if owner != _OURS and (owner, version, tables) != (0, 0, 0):
        message = f"{path}: this is a database, but no timeline of healer"
        raise TimelineError(message)
    if version > len(MIGRATIONS):
        message = (
            f"{path}: its tables have version {version}, this healer knows up to"
            f" {len(MIGRATIONS)}: it was written by a newer healer"
        )
        raise TimelineError(message)
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(
            f"BEGIN IMMEDIATE; {script}; PRAGMA application_id = {_OURS};"
            f" PRAGMA user_version = {number}; COMMIT;"
        )
