"""The same on the real lab: a server is away while a real fault is healed, in every way there is.

Many drills in one lab, one after the other. A few of them are always run; all of them, each way at
each moment, are `pytest -m sweep tests/chaos/test_lab_outage.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from healer.app.daemon import daemon
from healer.lab.drill.catalog import SCENARIOS
from healer.model.event import (
    Archived,
    Chosen,
    Entry,
    Opened,
    StepFinished,
    StepStarted,
    Verified,
)
from tests.fakes.ending import check_told, check_walk, playbook_of
from tests.fakes.gate import Trouble
from tests.fakes.mishap import (
    CHANNELS,
    MOMENTS,
    Outage,
    failures,
    holds,
    last,
    missed,
    unseen,
    was_healed,
)
from tests.fakes.stage import Stage, stage
from tests.fakes.watched import WatchedTimeline, watched

pytestmark = [pytest.mark.real, pytest.mark.timeout(1800)]

SERVERS = ("kubernetes", "prometheus", *CHANNELS)
STEPS = {"SCENARIO-2": ["evict"], "INC-001": ["scale", "scaled", "undo-scale"]}
EFFECTS = {"SCENARIO-2": (1, 1), "INC-001": (2, 0)}
"""Changes that the API server was asked for, and how often servers deleted files."""
WATCH = {True: "20s", False: "8s"}
"""A channel that is back must be asked again before the watch ends: what is over wakes nobody."""

FEW = (
    Outage(server="kubernetes", trouble=Trouble.LOST, since=Chosen),
    Outage(server="prometheus", trouble=Trouble.REFUSED, since=StepStarted),
    Outage(server="slack", trouble=Trouble.SLOW_DOWN, since=StepFinished),
    Outage(server="pagerduty", trouble=Trouble.HANG, since=Opened),
)


def every(server: str, number: int) -> Sequence[Outage]:
    """All troubles of a server at one of the moments."""
    since = MOMENTS[number]
    return [Outage(server=server, trouble=trouble, since=since) for trouble in Trouble]


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What came of a drill: the record, the effects, and how much of both there was meanwhile."""

    entries: Sequence[Entry]
    meanwhile: Sequence[Entry]
    effects: int
    changed: tuple[int, int]
    missed: Sequence[str]
    """What healer asked for in vain, and has to tell of."""


async def test_a_drill_of_the_lab_outlasts_outages(tmp_path: Path) -> None:
    await run_all(tmp_path, "SCENARIO-2", FEW)


@pytest.mark.sweep
@pytest.mark.parametrize("moment", range(len(MOMENTS)), ids=[one.__name__ for one in MOMENTS])
@pytest.mark.parametrize("server", SERVERS)
async def test_a_drill_of_the_lab_outlasts_every_outage(
    server: str, moment: int, tmp_path: Path
) -> None:
    await run_all(tmp_path, "SCENARIO-2", every(server, moment))


@pytest.mark.sweep
@pytest.mark.parametrize("outage", FEW, ids=str)
async def test_a_flood_is_healed_in_spite_of_an_outage(outage: Outage, tmp_path: Path) -> None:
    """Each in a lab of its own: nobody there takes back the replicas that a flood has brought."""
    await run_all(tmp_path, "INC-001", [outage])


async def run_all(home: Path, name: str, outages: Sequence[Outage]) -> None:
    """One lab; a drill for each outage."""
    async with stage(home, SCENARIOS[name]) as lab:
        for outage in outages:
            try:
                check(lab, outage, await run_through(lab, outage))
            except (AssertionError, TimeoutError) as error:
                error.add_note(f"during {outage}")
                raise


async def run_through(lab: Stage, outage: Outage) -> Course:
    """The whole drill, with the outage in it."""
    await lab.rested()
    lab.pace(watch=WATCH[outage.server in CHANNELS])
    gate, timeline = lab.gates[outage.server], watched()
    changes, evictions, seen = len(lab.changes), await lab.evictions(), len(gate.seen)
    if outage.since is Opened:
        await gate.fail(outage.trouble)
    async with daemon(lab.setting.settings, timeline=timeline):
        async with lab.scenario.cause.strike(lab.remote, say=lambda _: None):
            await timeline.until(outage.since)
            if outage.since is not Opened:
                await gate.fail(outage.trouble)
            before = len(timeline.entries)
            await last(timeline, outage)
            meanwhile, effects = timeline.entries[before:], len(lab.changes) - changes
            await gate.mend()
            await timeline.until(Verified, lambda event: was_healed([event]))
        await timeline.until(Archived)
    return Course(
        entries=walk(lab, timeline),
        meanwhile=meanwhile,
        effects=effects,
        changed=(len(lab.changes) - changes, await lab.evictions() - evictions),
        missed=missed(gate.seen[seen:], outage, waits=f"/deployments/{lab.site.deployment}"),
    )


def walk(lab: Stage, timeline: WatchedTimeline) -> Sequence[Entry]:
    """The lines of the one incident that the fault made."""
    incidents = dict.fromkeys(entry.incident for entry in timeline.entries)
    walks = [[one for one in timeline.entries if one.incident == name] for name in incidents]
    (found,) = (entries for entries in walks if playbook_of(entries) == lab.scenario.name)
    return found


def check(lab: Stage, outage: Outage, course: Course) -> None:
    """Healed as without; nothing unsafe meanwhile; and what was missed is told."""
    check_walk(
        course.entries, steps=STEPS[lab.scenario.name], rounds=1 + (outage.server == "kubernetes")
    )
    assert course.changed == EFFECTS[lab.scenario.name]
    check_told(lab, course.entries)
    match outage.server:
        case "prometheus":
            assert outage.since is not Opened or course.effects == 0
            assert not any(isinstance(one.event, Verified) for one in course.meanwhile)
            assert any("Prometheus" in one for one in holds(course.entries))
        case "kubernetes":
            said = (*holds(course.entries), *failures(course.entries), *unseen(course.entries))
            assert said or not course.missed
        case _:
            assert course.effects == 1, "a channel delays only itself"
