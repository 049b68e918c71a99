"""kill -9 at every write of a drill on the real lab: real servers, a real fault, real alerts.

Within one drill no daemon lives for longer than a write: see `tests.fakes.reaper`. How it has to
end is what the lab's catalog says of the drill, for everybody who is left alone. INC-001 takes
minutes: `pytest -m sweep tests/chaos/test_lab_kill9.py`.
"""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from healer.lab.drill.catalog import SCENARIOS
from healer.model.event import Chosen, Entry
from tests.fakes.ending import check_delivered, check_told, check_walk, playbook_of, read_all
from tests.fakes.nursery import nursery
from tests.fakes.reaper import Reaper
from tests.fakes.stage import Stage, stage

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

STEPS = {"SCENARIO-2": ["evict"], "INC-001": ["scale", "scaled", "undo-scale"]}
WATCH = {"SCENARIO-2": "20s", "INC-001": "30s"}
EFFECTS = {"SCENARIO-2": (1, 1, [0]), "INC-001": (2, 0, [0, 2, 0])}
"""Changes that the API server was asked for; how often servers deleted files; and by how much the
least that autoscalers keep went up, one after the other."""
FEWEST = 20
"""A drill that has fewer writes than this has not been walked."""


@pytest.mark.parametrize("name", ["SCENARIO-2", pytest.param("INC-001", marks=pytest.mark.sweep)])
async def test_kill_9_at_every_write_on_the_lab_changes_neither_the_end_nor_the_effects(
    name: str, tmp_path: Path
) -> None:
    async with nursery() as births, stage(tmp_path, SCENARIOS[name]) as lab:
        lab.pace(watch=WATCH[name])
        reaper = Reaper(births=births, setting=lab.setting)
        minima = await drill(lab, reaper)
        incidents = await read_all(lab.timeline)
        (entries,) = (one for one in incidents.values() if playbook_of(one) == name)
        check_walk(entries, steps=STEPS[name])
        chosen = [one.event.remedy for one in entries if isinstance(one.event, Chosen)]
        assert chosen[-1] == lab.scenario.remedy
        changed = len(lab.changes), await lab.evictions(), [one - minima[0] for one in minima]
        assert changed == EFFECTS[name]
        check_told(lab, entries)
        check_alerts(lab, [entry for one in incidents.values() for entry in one])
        check_deaths(reaper, STEPS[name])


async def drill(lab: Stage, reaper: Reaper) -> Sequence[int]:
    """From the fault to the archive. Returns what autoscalers kept at least, all the time."""
    await lab.rested()
    healed = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        walking = group.create_task(walked(reaper, healed))
        minima = group.create_task(lab.minima(until=walking.done))
        await reaper.listens()
        async with lab.scenario.cause.strike(lab.remote, say=lambda _: None):
            await healed.wait()
    return minima.result()


async def walked(reaper: Reaper, healed: asyncio.Event) -> None:
    """To the end; whatever that is, nobody waits for the heal any longer."""
    try:
        await reaper.run(healed)
    finally:
        healed.set()


def check_deaths(reaper: Reaper, steps: Sequence[str]) -> None:
    """Nobody wrote on, but where a step that was begun a second time was let come to its end."""
    assert reaper.written > FEWEST
    before, after = reaper.lives[::2], reaper.lives[1::2]
    assert len(before) == len(after)
    assert [life.appends for life in before if life.appends] == []
    assert all(len(life.appends) == 1 or life.begun for life in after)
    assert before[0].dies == "Delivery", "not answered, and sent again; both kinds: test_kill9"
    assert reaper.begun[steps[0]] == 2, "one death before its effect, and one before its end"


def check_alerts(lab: Stage, entries: Sequence[Entry]) -> None:
    """Whatever Alertmanager tried to deliver, also to a daemon that was dead, is on record."""
    tried = [json.loads(one.body) for one in lab.door.seen if one.method == "POST"]
    assert tried
    check_delivered(tried, entries, least=["firing"])  # that it resolved may have been asked for
