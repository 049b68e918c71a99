"""Several drills, each in a lab of its own or all in the one that runs, and what came of each."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from healer.errors import HealerError
from healer.lab.drill.report import Report
from healer.lab.drill.run import drill
from healer.lab.drill.scenario import Scenario
from healer.lab.model import make_model
from healer.lab.remote import connected
from healer.lab.state import State
from healer.lab.world import Plan, world

Say = Callable[[str], None]
Done = Callable[[Report], None]
"""Told of each drill as soon as it is over."""


async def each_alone(
    plan: Plan, scenarios: Sequence[Scenario], *, jobs: int, say: Say, done: Done
) -> None:
    """Each in a new lab, with the services that it needs and no others; so many at a time.

    So nothing that one drill leaves behind decides another: a cooldown, a budget that is used up,
    a claim that has grown. What of several cannot be run is reported, and the next begins.
    """
    if len(scenarios) == 1:
        done(await _in_its_own(plan, scenarios[0], say=say))
        return
    await make_model(plan.home.model, say=say)  # once, for all of them
    places = asyncio.Semaphore(jobs)

    async def one(number: int, scenario: Scenario) -> None:
        async with places:
            say(f"Drill {number} of {len(scenarios)}: {scenario.name}.")
            mine = _named(scenario, say) if jobs > 1 else say
            try:
                report = await _in_its_own(plan, scenario, say=mine)
            except HealerError as error:
                mine(f"It could not be run: {error}.")
                report = _not_run(scenario, plan, str(error))
            done(report)

    async with asyncio.TaskGroup() as group:
        for number, scenario in enumerate(scenarios, start=1):
            group.create_task(one(number, scenario))


async def in_running(state: State, scenarios: Sequence[Scenario], *, say: Say, done: Done) -> None:
    """All in the lab that runs, one after the other."""
    for scenario in scenarios:
        done(await _drilled(scenario, state, say=say))


async def _in_its_own(plan: Plan, scenario: Scenario, *, say: Say) -> Report:
    async with world(replace(plan, services=(scenario.service,)), say=say) as made:
        return await _drilled(scenario, made.state, say=say)


async def _drilled(scenario: Scenario, state: State, *, say: Say) -> Report:
    async with connected(state) as remote:
        return await drill(scenario, remote, say=say)


def _named(scenario: Scenario, say: Say) -> Say:
    """Where several speak at once, each says who it is."""
    return lambda line: say(f"[{scenario.name}] {line}")


def _not_run(scenario: Scenario, plan: Plan, why: str) -> Report:
    return Report(
        scenario=scenario,
        struck_at=datetime.now(UTC),
        entries=(),
        slack="",
        pagerduty="",
        dry_run=plan.dry_run,
        factor=plan.factor,
        stopped=why,
    )
