"""Several drills, one after the other, and what came of each."""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from healer.errors import HealerError
from healer.lab.drill.report import Report
from healer.lab.drill.run import drill
from healer.lab.drill.scenario import Scenario
from healer.lab.remote import connected
from healer.lab.state import State
from healer.lab.world import Plan, world

Say = Callable[[str], None]


async def each_alone(
    plan: Plan, scenarios: Sequence[Scenario], *, say: Say
) -> AsyncGenerator[Report]:
    """Each in a new lab, with the services that it needs and no others.

    So nothing that one drill leaves behind decides another: a cooldown, a budget that is used up,
    a claim that has grown. What cannot be run is reported, and the next begins.
    """
    for number, scenario in enumerate(scenarios, start=1):
        if len(scenarios) > 1:
            say(f"Drill {number} of {len(scenarios)}: {scenario.name}.")
        try:
            async with world(replace(plan, services=(scenario.service,)), say=say) as made:
                report = await _drilled(scenario, made.state, say=say)
        except HealerError as error:
            if len(scenarios) == 1:
                raise
            report = _not_run(scenario, plan, str(error))
            say(f"{scenario.name} could not be run: {error}.")
        yield report


async def in_running(
    state: State, scenarios: Sequence[Scenario], *, say: Say
) -> AsyncGenerator[Report]:
    """All in the lab that runs, one after the other."""
    for scenario in scenarios:
        yield await _drilled(scenario, state, say=say)


async def _drilled(scenario: Scenario, state: State, *, say: Say) -> Report:
    async with connected(state) as remote:
        return await drill(scenario, remote, say=say)


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
