"""--dry-run of a drill in a whole world: told step by step, and nothing is different afterwards."""

from collections.abc import Callable
from pathlib import Path

import pytest

from healer.app.daemon import daemon
from healer.model.event import (
    Closed,
    Entry,
    Event,
    NoticeSent,
    Rehearsed,
    StepFinished,
    StepStarted,
)
from healer.model.outcome import Result
from healer.notify import words
from tests.fakes.scene import DRILLS, NAMESPACE, Drill, Scene, harmless, scene
from tests.fakes.watched import watched

WORKLOAD = f"{NAMESPACE}/deployment/largeforge"
WOULD = {
    "SCENARIO-2": ["would delete 6 cache files (90000 bytes) older than 7d"],
    "INC-001": [
        f"would set the minimum of autoscaler largeforge of {WORKLOAD} from 2 to 4",
        f"would wait until {WORKLOAD} has rolled out",
    ],
}


async def rehearse(world: Scene) -> list[Entry]:
    timeline = watched()
    async with daemon(world.settings, dry_run=True, timeline=timeline) as port:
        world.postman.port = port
        await timeline.until(Rehearsed)
        (line,) = (one.seq for one in timeline.entries if isinstance(one.event, Rehearsed))
        for channel in ("slack", "pagerduty"):
            await timeline.until(NoticeSent, knows(channel, line))
    return timeline.entries


def knows(channel: str, line: int) -> Callable[[Event], bool]:
    """Has the channel been told up to that line?"""

    def said(event: Event) -> bool:
        assert isinstance(event, NoticeSent)
        return event.channel == channel and event.through >= line

    return said


@pytest.mark.parametrize("drill", DRILLS, ids=lambda drill: drill.name)
async def test_a_rehearsal_changes_nothing_and_says_what_it_would_have_done(
    drill: Drill, tmp_path: Path
) -> None:
    async with scene(tmp_path, drill) as world:
        versions, files = world.versions, world.cache.names
        entries = await rehearse(world)
        assert world.versions == versions
        assert world.cache.names == files
        asked = world.gates["kubernetes"].seen
        assert asked
        assert [one for one in asked if not harmless(one)] == []
        finished = [one.event for one in entries if isinstance(one.event, StepFinished)]
        assert [one.outcome.result for one in finished] == [Result.SKIPPED] * len(finished)
        assert [one.outcome.summary for one in finished] == WOULD[drill.name]
        started = [one.event for one in entries if isinstance(one.event, StepStarted)]
        assert [one.dry_run for one in started] == [True] * len(WOULD[drill.name])
        kinds = [type(one.event) for one in entries]
        assert (kinds.count(Rehearsed), kinds.count(Closed)) == (1, 0)


@pytest.mark.parametrize("drill", DRILLS, ids=lambda drill: drill.name)
async def test_people_are_told_that_it_was_a_rehearsal(drill: Drill, tmp_path: Path) -> None:
    async with scene(tmp_path, drill) as world:
        entries = await rehearse(world)
        said = world.slack.render()
        assert "nothing was changed; would have run" in said
        for would in WOULD[drill.name]:
            assert would in said
        assert all((words.line(entry) or "") in said for entry in entries)
        (incident,) = world.pagerduty.incidents
        assert incident.status == "triggered", "the alert still fires, and nobody has mended it"
