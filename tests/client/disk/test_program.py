"""The program that looks at a disk: what it would take away, what it takes, and what it never does.

It runs as it does in a pod: its text, given to a Python of its own.
"""

import gzip
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from healer.client.disk.folder import PROGRAM

HOUR = 3600.0
LINE = b"2026-01-01T00:00:00Z INFO a line like the others\n"


def ask(**order: Any) -> dict[str, Any]:
    """The program's answer."""
    reading = f"import sys; exec(sys.stdin.buffer.read({len(PROGRAM)}))"
    wanted = {"seconds": 20, "keep": 1, "min_age": HOUR, "larger_than": 1, **order}
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", reading, json.dumps(wanted)],
        input=PROGRAM,
        capture_output=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def sweep(kind: str, path: Path, *, until: float | None = 0.0, **order: Any) -> dict[str, Any]:
    """Take away all that may go: with 0, there is never room enough."""
    wanted = {} if until is None else {"until": until}
    return ask(kind=kind, path=str(path), volume=str(path.parent), **wanted, **order)


def made(path: Path, *, hours: float, size: int = 4096) -> Path:
    """A file of an age."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(size))
    aged(path, hours=hours)
    return path


def aged(path: Path, *, hours: float) -> None:
    then = time.time() - hours * HOUR
    os.utime(path, (then, then), follow_symlinks=False)


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path.resolve() / "volume" / "folder"
    found.mkdir(parents=True)
    return found


# -------------------------------------------------------------------------------------- checkpoints


@pytest.fixture
def checkpoints(folder: Path) -> Path:
    """Five, of which the first is the oldest."""
    for number in range(1, 6):
        made(folder / f"checkpoint-{number}" / "weights.bin", hours=100 - number)
        aged(folder / f"checkpoint-{number}", hours=100 - number)
    return folder


def test_the_newest_checkpoints_stay_and_the_oldest_goes_first(checkpoints: Path) -> None:
    answer = sweep("checkpoints", checkpoints, keep=3)

    assert answer["gone"] == ["checkpoint-1", "checkpoint-2"]
    assert names(checkpoints) == ["checkpoint-3", "checkpoint-4", "checkpoint-5"]


def test_listing_changes_nothing_and_says_how_much_room_there_would_be(checkpoints: Path) -> None:
    answer = sweep("checkpoints", checkpoints, until=None, keep=3)

    assert [one["name"] for one in answer["items"]] == ["checkpoint-1", "checkpoint-2"]
    assert all(one["bytes"] >= 4096 for one in answer["items"])
    assert len(names(checkpoints)) == 5


def test_it_stops_as_soon_as_there_is_room(checkpoints: Path) -> None:
    answer = sweep("checkpoints", checkpoints, until=1.0, keep=3)

    assert answer["gone"] == []
    assert len(names(checkpoints)) == 5


def test_a_checkpoint_that_is_young_may_be_in_the_making(checkpoints: Path) -> None:
    assert sweep("checkpoints", checkpoints, keep=1, min_age=200 * HOUR)["gone"] == []

    made(checkpoints / "checkpoint-1" / "optimizer.bin", hours=0)

    assert "checkpoint-1" not in sweep("checkpoints", checkpoints, keep=1)["gone"]


def test_a_checkpoint_that_a_link_names_stays_and_so_does_the_link(checkpoints: Path) -> None:
    (checkpoints / "best").symlink_to("checkpoint-1")

    answer = sweep("checkpoints", checkpoints, keep=3)

    assert answer["gone"] == ["checkpoint-2"]
    assert (checkpoints / "best" / "weights.bin").exists()


def test_what_a_link_leads_to_is_never_touched(checkpoints: Path, tmp_path: Path) -> None:
    precious = made(tmp_path / "elsewhere" / "model.bin", hours=500)
    (checkpoints / "checkpoint-1" / "up").symlink_to(tmp_path / "elsewhere")
    aged(checkpoints / "checkpoint-1" / "up", hours=99)
    aged(checkpoints / "checkpoint-1", hours=99)
    (checkpoints / "checkpoint-0").symlink_to(tmp_path / "elsewhere")

    sweep("checkpoints", checkpoints, keep=3)

    assert precious.exists()
    assert (checkpoints / "checkpoint-0").is_symlink()
    assert not (checkpoints / "checkpoint-1").exists()


def test_what_was_half_taken_away_is_finished_and_never_counts_as_a_checkpoint(
    checkpoints: Path,
) -> None:
    (checkpoints / "checkpoint-1").rename(checkpoints / ".leaving-checkpoint-1")

    answer = sweep("checkpoints", checkpoints, keep=4)

    assert answer["gone"] == [".leaving-checkpoint-1"]
    assert len(names(checkpoints)) == 4


@pytest.mark.skipif(os.geteuid() == 0, reason="root may remove everything")
def test_what_cannot_be_removed_is_said_and_the_rest_goes(checkpoints: Path) -> None:
    (checkpoints / "checkpoint-1").chmod(0o500)
    try:
        answer = sweep("checkpoints", checkpoints, keep=3)
    finally:
        for one in checkpoints.iterdir():
            one.chmod(0o700)

    assert answer["gone"] == ["checkpoint-2"]
    assert "checkpoint-1" in answer["failed"][0]


# ---------------------------------------------------------------------------------------- revisions


def revision(folder: Path, name: str, *, hours: float, blobs: dict[str, int]) -> None:
    """A snapshot as the hub makes it: links to blobs, which revisions may share."""
    model = folder / "models--org--model"
    snapshot = model / "snapshots" / name
    snapshot.mkdir(parents=True)
    for blob, size in blobs.items():
        if not (model / "blobs" / blob).exists():
            made(model / "blobs" / blob, hours=hours, size=size)
        (snapshot / f"{blob}.bin").symlink_to(f"../../blobs/{blob}")
        aged(snapshot / f"{blob}.bin", hours=hours)
    aged(snapshot, hours=hours)


@pytest.fixture
def hub(folder: Path) -> Path:
    """Three revisions, of which `main` is the third; the first two share a blob with it."""
    revision(folder, "aaa", hours=300, blobs={"old": 8192, "shared": 4096})
    revision(folder, "bbb", hours=200, blobs={"middle": 8192, "shared": 4096})
    revision(folder, "ccc", hours=100, blobs={"new": 8192, "shared": 4096})
    refs = folder / "models--org--model" / "refs"
    (refs / "pr").mkdir(parents=True)
    (refs / "main").write_text("ccc")
    return folder


def test_revisions_that_no_ref_names_go_and_blobs_that_others_need_stay(hub: Path) -> None:
    answer = sweep("revisions", hub)

    assert answer["gone"] == ["models--org--model@aaa", "models--org--model@bbb"]
    model = hub / "models--org--model"
    assert names(model / "snapshots") == ["ccc"]
    assert names(model / "blobs") == ["new", "shared"]
    assert (model / "snapshots" / "ccc" / "shared.bin").read_bytes()


def test_a_revision_gives_the_room_of_what_is_its_own(hub: Path) -> None:
    answer = sweep("revisions", hub, until=None)

    assert [one["bytes"] for one in answer["items"]] == [8192, 8192]


def test_a_revision_that_any_ref_names_stays(hub: Path) -> None:
    (hub / "models--org--model" / "refs" / "pr" / "7").write_text("aaa\n")

    assert sweep("revisions", hub)["gone"] == ["models--org--model@bbb"]


def test_without_refs_nobody_knows_what_is_in_use_so_nothing_goes(hub: Path) -> None:
    (hub / "models--org--model" / "refs" / "main").unlink()

    assert sweep("revisions", hub)["gone"] == []


def test_a_revision_that_is_just_being_fetched_stays(hub: Path) -> None:
    revision(hub, "ddd", hours=0, blobs={"coming": 4096})

    sweep("revisions", hub)

    assert names(hub / "models--org--model" / "snapshots") == ["ccc", "ddd"]


# --------------------------------------------------------------------------------------------- logs


def test_a_large_log_is_packed_and_emptied_where_it_is(folder: Path) -> None:
    log = folder / "server.log"
    log.write_bytes(LINE * 10_000)
    with log.open("ab") as writer:
        answer = sweep("logs", folder, larger_than=1000)
        writer.write(b"after\n")

    assert answer["gone"] == ["server.log"]
    assert log.read_bytes() == b"after\n"
    assert gzip.decompress((folder / "server.log.1.gz").read_bytes()) == LINE * 10_000


def test_rotated_logs_move_on_and_only_the_newest_stay(folder: Path) -> None:
    (folder / "server.log").write_bytes(LINE * 1000)
    for number in (1, 2, 3):
        (folder / f"server.log.{number}").write_bytes(b"%d" % number)

    answer = sweep("logs", folder, keep=2, larger_than=1000)

    assert answer["gone"] == ["server.log.3", "server.log"]
    assert names(folder) == ["server.log", "server.log.1.gz", "server.log.2"]
    assert (folder / "server.log.2").read_bytes() == b"1"


def test_a_small_log_and_what_is_no_log_stay_as_they_are(folder: Path) -> None:
    (folder / "small.log").write_bytes(b"x")
    (folder / "data.bin").write_bytes(b"x" * 9000)
    (folder / "data.bin.1").write_bytes(b"x" * 9000)

    assert sweep("logs", folder, larger_than=1000)["gone"] == []
    assert names(folder) == ["data.bin", "data.bin.1", "small.log"]


def test_a_log_that_is_a_link_is_not_emptied(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "other.log"
    elsewhere.write_bytes(LINE * 1000)
    (folder / "server.log").symlink_to(elsewhere)

    assert sweep("logs", folder, larger_than=1000)["gone"] == []
    assert elsewhere.read_bytes() == LINE * 1000


# ----------------------------------------------------------------------------------------- the rest


def test_a_folder_that_is_not_there_has_nothing_that_may_go(folder: Path) -> None:
    answer = sweep("logs", folder / "missing")

    assert answer["missing"] is True
    assert answer["items"] == []


@pytest.mark.parametrize("kind", ["checkpoints", "logs", "revisions"])
def test_a_path_through_a_link_is_refused(folder: Path, kind: str) -> None:
    (folder.parent / "link").symlink_to(folder)

    answer = sweep(kind, folder.parent / "link")

    assert "leads through a link" in answer["error"]


def test_a_folder_too_near_to_the_root_is_refused() -> None:
    answer = ask(kind="checkpoints", path="/etc", volume="/", until=0.0)

    assert "too near to the root" in answer["error"]


def test_a_survey_names_the_largest_first(folder: Path) -> None:
    made(folder / "small" / "a", hours=1, size=4096)
    made(folder / "large" / "b", hours=1, size=40_960)

    answer = ask(kind="survey", volume=str(folder), most=5)

    assert [one["name"] for one in answer["folders"]] == ["large", "small"]
    assert 0 < answer["used_share"] < 1
