"""kill -9 at every write of a drill on the real lab: real servers, a real fault, real alerts.

Within one drill no daemon lives for longer than a write: see `tests.fakes.reaper`. The drill before
it in the same lab is left alone, and says how it has to end.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from healer.lab.drill.catalog import SCENARIOS
from healer.model.event import Chosen, Closed, Entry, Opened
from tests.fakes.ending import check_delivered, check_page, check_thread, check_walk, read_all
from tests.fakes.nursery import Nursery, nursery
from tests.fakes.reaper import Reaper
from tests.fakes.stage import Stage, stage

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

STEPS = {"SCENARIO-2": ["evict"], "INC-001": ["scale", "scaled", "undo-scale"]}
EFFECTS = {"SCENARIO-2": 1, "INC-001": 2}
FEWEST = 20
"""A drill that has fewer writes than this has not been walked."""

Walk = Callable[[asyncio.Event], Awaitable[None]]
"""Daemons from first to last. The event is set once the fault has been verified gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What came of one drill, as the world saw it."""

    entries: Sequence[Entry]
    changes: int
    evictions: int
    minima: Sequence[int]

    @property
    def end(self) -> tuple[object, object]:
        """The branch that was taken, and how it ended."""
        chosen = [one.event.remedy for one in self.entries if isinstance(one.event, Chosen)]
        closed = [one.event.ending for one in self.entries if isinstance(one.event, Closed)]
        return chosen[-1], closed


@pytest.mark.parametrize("name", ["SCENARIO-2", pytest.param("INC-001", marks=pytest.mark.sweep)])
async def test_kill_9_at_every_write_on_the_lab_changes_neither_the_end_nor_the_effects(
    name: str, tmp_path: Path
) -> None:
    async with nursery() as births, stage(tmp_path, SCENARIOS[name], watch="10s") as lab:
        left_alone = await drill(lab, lambda healed: live_on(lab, births, healed))
        reaper = Reaper(births=births, setting=lab.setting)
        killed = await drill(lab, reaper.run)
        assert killed.end == left_alone.end
        assert (killed.changes, killed.evictions) == (left_alone.changes, left_alone.evictions)
        assert killed.minima == left_alone.minima
        assert killed.changes == EFFECTS[name]
        assert killed.evictions == STEPS[name].count("evict")
        check_deaths(reaper, STEPS[name])


async def live_on(lab: Stage, births: Nursery, healed: asyncio.Event) -> None:
    """One daemon that nobody kills before its work is done."""
    life = births.bear(lab.setting.config, environment=lab.setting.environment)
    while not life.wrote("Archived"):
        assert life.ended is None, life.log.read_text()
        await life.change()
        if life.healed:
            healed.set()
    await life.kill()


async def walked(walk: Walk, healed: asyncio.Event) -> None:
    """To the end; whatever that is, nobody waits for the heal any longer."""
    try:
        await walk(healed)
    finally:
        healed.set()


async def drill(lab: Stage, walk: Walk) -> Course:
    """From the fault to the archive, and what is to be seen everywhere afterwards."""
    await lab.rested()
    known = set(await read_all(lab.timeline))
    changes, evictions = len(lab.changes), await lab.evictions()
    delivered = len(lab.door.seen)
    healed = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        walking = group.create_task(walked(walk, healed))
        minima = group.create_task(lab.minima(until=walking.done))
        async with lab.scenario.cause.strike(lab.remote, say=lambda _: None):
            await healed.wait()
    everything = await read_all(lab.timeline)
    fresh = {one: entries for one, entries in everything.items() if one not in known}
    (entries,) = (one for one in fresh.values() if playbook_of(one) == lab.scenario.name)
    check_walk(entries, steps=STEPS[lab.scenario.name])
    check_told(lab, entries)
    check_alerts(lab, delivered, [entry for one in fresh.values() for entry in one])
    return Course(
        entries=entries,
        changes=len(lab.changes) - changes,
        evictions=await lab.evictions() - evictions,
        minima=minima.result(),
    )


def check_deaths(reaper: Reaper, steps: Sequence[str]) -> None:
    """Nobody wrote on, but where a step that was begun a second time was let come to its end."""
    assert reaper.written > FEWEST
    before, after = reaper.lives[::2], reaper.lives[1::2]
    assert len(before) == len(after)
    assert [life.appends for life in before if life.appends] == []
    assert all(len(life.appends) == 1 or life.begun for life in after)
    assert reaper.begun[steps[0]] == 2, "one death before its effect, and one before its end"


def playbook_of(entries: Sequence[Entry]) -> str:
    """Of an incident, by its first line."""
    first = entries[0].event
    assert isinstance(first, Opened)
    return first.key.playbook


def check_told(lab: Stage, entries: Sequence[Entry]) -> None:
    """Slack and PagerDuty tell this incident once."""
    incident = entries[0].incident
    threads = [one for one in lab.slack.threads if told_of(one[0]) == incident]
    assert len(threads) == 1
    check_thread(threads[0], entries)
    pages = [one for one in lab.pagerduty.incidents if one.key.startswith(incident)]
    assert len(pages) == lab.pages
    for page in pages:
        check_page(page, entries)


def told_of(message: dict[str, Any]) -> str:
    """The incident that a message is about, as healer marked it."""
    return str(message["metadata"]["event_payload"]["incident"])


def check_alerts(lab: Stage, since: int, entries: Sequence[Entry]) -> None:
    """Whatever Alertmanager tried to deliver, also to a daemon that was dead, is on record."""
    tried = [json.loads(one.body) for one in lab.door.seen[since:] if one.method == "POST"]
    assert tried
    check_delivered(tried, entries)
