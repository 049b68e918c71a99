"""kill -9 at every write of a drill: a real process, a real file, real servers, and the same end.

Each life is killed right before or right after one append is on disk; the next one is left alone.
How many appends a walk has differs a little (notices that meet are told as one), so each case goes
on until lives have outlived their walks: no write is left that was not died at.
"""

import asyncio
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import pytest

from tests.fakes.ending import check_healed, read
from tests.fakes.nursery import Life, Nursery, nursery
from tests.fakes.scene import DRILLS, Drill, Scene, scene

SLICES = 2
AT_ONCE = 8
FEWEST = 20
"""A drill that has fewer writes than this has not been walked."""

pytestmark = pytest.mark.timeout(300)


async def test_a_daemon_that_is_not_killed_heals(tmp_path: Path) -> None:
    async with nursery() as births:
        for drill in DRILLS:
            (tmp_path / drill.name).mkdir()
            async with scene(tmp_path / drill.name, drill) as world:
                life = await walk(world, births, dies_at=None, written=True)
                assert len(life.appends) > FEWEST
                check_healed(world, await read(world.folder))


@pytest.mark.parametrize("written", [True, False], ids=["after the write", "before the write"])
@pytest.mark.parametrize("remainder", range(SLICES))
@pytest.mark.parametrize("drill", DRILLS, ids=lambda drill: drill.name)
async def test_kill_9_at_any_write_changes_neither_the_end_nor_the_effects(
    drill: Drill, remainder: int, written: bool, tmp_path: Path
) -> None:
    async with nursery() as births:
        numbers = count(1 + remainder, SLICES)
        async with asyncio.TaskGroup() as group:
            workers = [
                group.create_task(until_outlived(births, drill, tmp_path, numbers, written=written))
                for _ in range(AT_ONCE)
            ]
    lives = {number: died for worker in workers for number, died in worker.result().items()}
    assert sorted(lives) == list(islice(count(1 + remainder, SLICES), len(lives)))
    died, outlived = (sorted(at for at in lives if lives[at] is was) for was in (True, False))
    assert len(died) >= FEWEST // SLICES
    assert len(outlived) == AT_ONCE, "every worker went on until there was nothing left to die at"


async def until_outlived(
    births: Nursery, drill: Drill, folder: Path, numbers: Iterator[int], *, written: bool
) -> dict[int, bool]:
    """Take number after number, until one was not reached: was a life ended at it?"""
    died: dict[int, bool] = {}
    for dies_at in numbers:
        place = folder / str(dies_at)
        place.mkdir()
        async with scene(place, drill) as world:
            life = await walk(world, births, dies_at=dies_at, written=written)
            check_healed(world, await read(world.folder))
        died[dies_at] = len(life.appends) == dies_at if written else not life.wrote("Archived")
        if not died[dies_at]:
            break
    return died


async def walk(world: Scene, births: Nursery, *, dies_at: int | None, written: bool) -> Life:
    """From the fault to the archive. Returns the first life; if it was killed, another followed."""
    first = births.bear(world.config, dies_at=dies_at, written=written)
    world.postman.port = await first.born()
    life = first
    if not await first.until("Archived"):
        assert first.killed, first.log.read_text()
        life = births.bear(world.config)
        world.postman.port = await life.born()
        assert await life.until("Archived"), life.log.read_text()
    await life.kill()
    return first
