"""What the file promises beyond the contract: one owner, no loss, clear refusals."""

import asyncio
import os
import random
import signal
import sqlite3
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from healer.errors import TimelineError, UnavailableError
from healer.model.event import Closed, Draft, Ending, Event, IncidentId, NothingMatched, Opened
from healer.timeline.schema import MIGRATIONS, connect
from healer.timeline.sqlite import SqliteTimeline
from healer.timeline.writer import Backlog
from tests.timeline.example import AT, KEY

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def line(incident: str, after: int = 0, event: Event | None = None) -> Draft:
    event = event or NothingMatched(reason="x")
    return Draft(incident=IncidentId(incident), after=after, at=AT, event=event)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "timeline.db"


@pytest.fixture
async def timeline(path: Path) -> AsyncIterator[SqliteTimeline]:
    timeline = await SqliteTimeline.open(path)
    yield timeline
    await timeline.close()


async def test_everything_is_there_when_it_is_opened_again(path: Path) -> None:
    first = await SqliteTimeline.open(path)
    written = await first.append([line("a", 0, Opened(key=KEY, severity="P1")), line("a", 1)])
    await first.close()
    second = await SqliteTimeline.open(path)
    assert list(await second.read(IncidentId("a"))) == list(written)
    assert await second.find_open(KEY) == "a"
    assert list(await second.unfinished()) == ["a"]
    more = await second.append([line("a", 2, Closed(ending=Ending.HEALED, reason=""))])
    assert more[0].position > written[-1].position
    assert await second.find_open(KEY) is None
    await second.close()


async def test_deliveries_that_were_not_sorted_are_there_when_it_is_opened_again(
    path: Path,
) -> None:
    first = await SqliteTimeline.open(path)
    numbers = [await first.deliver(body) for body in (b"one", b"two")]
    await first.append([line("a", 0, Opened(key=KEY, severity="P1"))], of=numbers[:1])
    await first.close()
    second = await SqliteTimeline.open(path)
    assert [(one.number, one.body) for one in await second.delivered()] == [(numbers[1], b"two")]
    assert await second.deliver(b"three") == numbers[1] + 1
    await second.close()


async def test_a_second_daemon_is_told_who_has_the_file(path: Path) -> None:
    first = await SqliteTimeline.open(path)
    with pytest.raises(TimelineError, match=rf"timeline\.db.*in use by process {os.getpid()}"):
        await SqliteTimeline.open(path)
    await first.append([line("a")])
    await first.close()
    second = await SqliteTimeline.open(path)
    assert len(await second.read(IncidentId("a"))) == 1
    await second.close()


@pytest.mark.parametrize("before", [None, 0o644])
async def test_only_the_owner_may_read_the_files(path: Path, before: int | None) -> None:
    if before is not None:
        os.close(os.open(path, os.O_CREAT, before))
    timeline = await SqliteTimeline.open(path)
    await timeline.append([line("a")])
    assert modes(path.parent) == dict.fromkeys(
        ["timeline.db", "timeline.db-wal", "timeline.db-shm", "timeline.db.lock"], 0o600
    )
    await timeline.close()


def test_a_commit_waits_for_the_disk(path: Path) -> None:
    with closing(connect(path)) as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_tables_of_a_newer_healer_are_left_alone(path: Path) -> None:
    await (await SqliteTimeline.open(path)).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(TimelineError, match=r"timeline\.db: its tables have version.*newer"):
        await SqliteTimeline.open(path)


async def test_the_database_of_another_program_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE entry (x)")
    with pytest.raises(TimelineError, match=r"timeline\.db: .*no timeline of healer"):
        await SqliteTimeline.open(path)


@pytest.fixture
def foreign(path: Path) -> str:
    """A file at `path` that is no database; its content."""
    path.write_text("apiVersion: healer/v1\n" * 100)
    return path.read_text()


async def test_a_file_that_is_no_database_is_left_alone(path: Path, foreign: str) -> None:
    with pytest.raises(TimelineError, match=r"timeline\.db: .*not a database"):
        await SqliteTimeline.open(path)
    assert content(path) == foreign


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TimelineError, match=r"gone/timeline\.db.*No such file"):
        await SqliteTimeline.open(tmp_path / "gone" / "timeline.db")
    with pytest.raises(TimelineError, match="Is a directory"):
        await SqliteTimeline.open(tmp_path)


@pytest.mark.usefixtures("foreign")
async def test_a_refused_file_can_be_opened_once_it_is_right(path: Path) -> None:
    with pytest.raises(TimelineError):
        await SqliteTimeline.open(path)
    os.unlink(path)  # noqa: PTH108 - the pathlib word is not allowed in async functions
    await (await SqliteTimeline.open(path)).close()


async def test_too_many_waiting_appends_are_turned_away(path: Path) -> None:
    timeline = await SqliteTimeline.open(path, backlog=Backlog(appends=4))
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(timeline.append([line(str(n))])) for n in range(4)]
        await asyncio.sleep(0)
        with pytest.raises(UnavailableError, match="overloaded: 4 writes wait"):
            await timeline.append([line("one too many")])
    assert all(task.result() for task in waiting)
    assert await timeline.append([line("later")])
    await timeline.close()


async def test_too_many_waiting_bytes_are_turned_away(path: Path) -> None:
    timeline = await SqliteTimeline.open(path, backlog=Backlog(size=1000))
    big = NothingMatched(reason="x" * 2000)
    async with asyncio.TaskGroup() as group:
        alone = group.create_task(timeline.append([line("big", 0, big)]))
        await asyncio.sleep(0)
        with pytest.raises(UnavailableError) as caught:
            await timeline.append([line("small")])
    assert caught.value.retry_after is not None
    assert alone.result()
    assert await timeline.append([line("small")])
    await timeline.close()


async def test_a_caller_that_leaves_hinders_nobody(timeline: SqliteTimeline) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(timeline.append([line(str(n))])) for n in range(10)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
    assert all(len(task.result()) == 1 for task in tasks[1::2])
    assert len(await timeline.append([line("next")])) == 1


async def test_closing_writes_what_waits_and_refuses_what_comes(path: Path) -> None:
    timeline = await SqliteTimeline.open(path)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(timeline.append([line(str(n))])) for n in range(100)]
        await asyncio.sleep(0)
        await timeline.close()
        with pytest.raises(TimelineError, match="closed"):
            await timeline.append([line("late")])
        with pytest.raises(TimelineError, match="closed"):
            await timeline.read(IncidentId("0"))
    assert all(len(task.result()) == 1 for task in tasks)


async def test_a_line_that_was_damaged_is_named(path: Path, timeline: SqliteTimeline) -> None:
    await timeline.append([line("a"), line("a", 1)])
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE entry SET event = CAST('?' AS BLOB) WHERE seq = 2")
    with pytest.raises(TimelineError, match="incident a, line 2: a line is no JSON"):
        await timeline.read(IncidentId("a"))
    assert len(await timeline.append([line("a", 2)])) == 1


async def test_a_stranger_who_holds_the_file_makes_no_reader_wait(
    path: Path, timeline: SqliteTimeline
) -> None:
    await timeline.append([line("a")])
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with asyncio.TaskGroup() as group:
            stuck = group.create_task(timeline.append([line("b")]))
            assert len(await timeline.read(IncidentId("a"))) == 1
            assert not stuck.done()
            other.execute("ROLLBACK")
    assert len(stuck.result()) == 1


async def test_a_full_disk_is_an_error_until_there_is_room_again(path: Path) -> None:
    code, said = await child("short.py", path)
    words = {text.split()[0]: text.split(maxsplit=1)[1] for text in said.splitlines()}
    assert code == 0, said
    assert words["before"] == words["after"] == "written"
    for text in ("full-0", "full-1", "full-2", "still-full"):
        assert words[text].startswith("refused the timeline could not be written: ")
    timeline = await SqliteTimeline.open(path)
    for text, end in words.items():
        assert len(await timeline.read(IncidentId(text))) == (end == "written")
    await timeline.close()
    assert intact(path)


async def test_an_error_within_a_transaction_leaves_nothing_behind(
    path: Path, timeline: SqliteTimeline
) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute(
            "CREATE TRIGGER no_room BEFORE INSERT ON incident BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
        with pytest.raises(TimelineError, match="could not be written: no"):
            await timeline.append([line("a"), line("b", 0, Opened(key=KEY, severity="P1"))])
        other.execute("DROP TRIGGER no_room")
    assert list(await timeline.follow(after=0)) == []
    assert await timeline.append([line("a"), line("b", 0, Opened(key=KEY, severity="P1"))])


async def test_what_was_acknowledged_survives_kill_9(path: Path) -> None:
    chance = random.Random(9)
    heads: dict[str, int] = {}
    for _ in range(5):
        said = await killed_after(chance.randrange(1, 400), chance.random() / 100, path)
        for text in said.splitlines()[: said.count("\n")]:
            pair, seq = text.split()
            assert int(seq) > heads.get(pair, 0)
            heads[pair] = int(seq)
        assert intact(path)
        timeline = await SqliteTimeline.open(path)
        for pair, head in heads.items():
            left = await timeline.read(IncidentId(f"left-{pair}"))
            right = await timeline.read(IncidentId(f"right-{pair}"))
            assert [entry.seq for entry in left] == list(range(1, len(left) + 1))
            assert [entry.event for entry in left] == [entry.event for entry in right]
            assert len(left) in (head, head + 1)
            heads[pair] = len(left)
        await timeline.close()
    assert sum(heads.values()) > 100


async def killed_after(lines: int, span: float, path: Path) -> str:
    """What the hammer said until it was killed, some lines and a moment after its start."""
    process = await start("hammer.py", path)
    assert process.stdout is not None
    said = [await process.stdout.readline() for _ in range(lines)]
    await asyncio.sleep(span)
    process.send_signal(signal.SIGKILL)
    said.append(await process.stdout.read())
    assert await process.wait() == -signal.SIGKILL
    return b"".join(said).decode()


async def child(script: str, path: Path) -> tuple[int, str]:
    process = await start(script, path)
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def start(script: str, path: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        str(HERE / script),
        str(path),
        stdout=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT)},
    )


def intact(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def modes(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


def content(path: Path) -> str:
    return path.read_text()
