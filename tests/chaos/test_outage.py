"""A server that healer leans on is out of order for a while, in every way and at every moment.

Nothing unsafe is done meanwhile, it is said, and when the server is back the walk ends as without.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from healer.app.daemon import daemon
from healer.model.event import Archived, Entry, Opened, Verified
from tests.fakes.ending import check_healed
from tests.fakes.gate import Trouble
from tests.fakes.mishap import CHANNELS, MOMENTS, Outage, failures, holds, last, missed, unseen
from tests.fakes.scene import DRILLS, Drill, Scene, scene
from tests.fakes.watched import watched

WATCH = {True: "20s", False: "6s"}
"""A channel that is back must be asked again before the watch ends: what is over wakes nobody."""

pytestmark = [
    pytest.mark.timeout(180),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What came of it. `effects`: how often the world had been changed when the outage ended."""

    world: Scene
    entries: Sequence[Entry]
    meanwhile: Sequence[Entry]
    effects: int


async def run_through(folder: Path, drill: Drill, outage: Outage) -> Course:
    """The whole drill, with the outage in it."""
    timeline = watched()
    async with scene(folder, drill, watch=WATCH[outage.server in CHANNELS]) as world:
        gate = world.gates[outage.server]
        if outage.since is Opened:
            await gate.fail(outage.trouble)
        async with daemon(world.settings, timeline=timeline) as port:
            world.postman.port = port
            await timeline.until(outage.since)
            if outage.since is not Opened:
                await gate.fail(outage.trouble)
            before = len(timeline.entries)
            await last(timeline, outage)
            meanwhile, effects = timeline.entries[before:], len(world.changes)
            await gate.mend()
            await timeline.until(Archived)
        return Course(world=world, entries=timeline.entries, meanwhile=meanwhile, effects=effects)


async def run_all(folder: Path, drill: Drill, server: str) -> Mapping[Outage, Course]:
    """Every trouble at every moment, side by side."""
    outages = [
        Outage(server=server, trouble=trouble, since=since)
        for trouble in Trouble
        for since in MOMENTS
    ]
    async with asyncio.TaskGroup() as group:
        running = {
            outage: group.create_task(run_through(place(folder, outage), drill, outage))
            for outage in outages
        }
    return {outage: task.result() for outage, task in running.items()}


def place(folder: Path, outage: Outage) -> Path:
    """A folder of its own."""
    made = folder / str(outage)
    made.mkdir()
    return made


@pytest.mark.parametrize("drill", DRILLS, ids=lambda drill: drill.name)
async def test_without_the_api_server_nothing_is_done_blindly_and_it_is_said(
    drill: Drill, tmp_path: Path
) -> None:
    for outage, course in (await run_all(tmp_path, drill, "kubernetes")).items():
        check_healed(course.world, course.entries, rounds=2)
        said = (*holds(course.entries), *failures(course.entries), *unseen(course.entries))
        asked = asked_in_vain(course, outage)
        assert said or not asked, f"{outage} is not told: {asked}"


@pytest.mark.parametrize("drill", DRILLS, ids=lambda drill: drill.name)
async def test_without_prometheus_nothing_is_done_on_missing_evidence_and_it_is_said(
    drill: Drill, tmp_path: Path
) -> None:
    for outage, course in (await run_all(tmp_path, drill, "prometheus")).items():
        check_healed(course.world, course.entries)
        assert outage.since is not Opened or course.effects == 0
        assert not any(isinstance(one.event, Verified) for one in course.meanwhile)
        assert any("Prometheus" in one for one in holds(course.entries)), f"{outage} is not told"


@pytest.mark.parametrize("server", CHANNELS)
@pytest.mark.parametrize("drill", DRILLS, ids=lambda drill: drill.name)
async def test_a_channel_that_is_away_delays_only_itself_and_is_told_all_later(
    drill: Drill, server: str, tmp_path: Path
) -> None:
    for course in (await run_all(tmp_path, drill, server)).values():
        assert course.effects == 1
        check_healed(course.world, course.entries)


def asked_in_vain(course: Course, outage: Outage) -> list[str]:
    """What was, or surely would have been; a server that refuses sees nothing of it."""
    if outage.trouble is Trouble.REFUSED and outage.since is Opened:
        return ["refused"]
    waits = f"/deployments/{course.world.drill.service}"
    return missed(course.world.gates[outage.server].seen, outage, waits=waits)
