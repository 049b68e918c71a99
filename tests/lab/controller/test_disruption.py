"""Budgets: what is healthy, what must be, what may go."""

from typing import Any

import pytest

from healer.lab.api.termination import stamp
from healer.lab.contract import Object
from tests.fakes.apiserver import budget, deployment
from tests.fakes.control import Control

pytestmark = pytest.mark.looptime


async def counts(control: Control, **spec: Any) -> tuple[int, int, int]:
    """currentHealthy, desiredHealthy and disruptionsAllowed of a budget over four pods."""
    control.store.create("deployments", deployment(replicas=4))
    control.store.create("poddisruptionbudgets", budget(**spec))
    await control.settle()
    return status(control)


def status(control: Control) -> tuple[int, int, int]:
    """The same, of the budget as it is now."""
    found = control.get("poddisruptionbudgets")["status"]
    return found["currentHealthy"], found["desiredHealthy"], found["disruptionsAllowed"]


@pytest.mark.parametrize(
    ("spec", "desired", "allowed"),
    [
        ({"minAvailable": 3}, 3, 1),
        ({"minAvailable": "60%"}, 3, 1),
        ({"maxUnavailable": 1}, 3, 1),
        ({"maxUnavailable": "30%"}, 2, 2),
        ({"maxUnavailable": 0}, 4, 0),
        ({"minAvailable": 9}, 9, 0),
    ],
)
async def test_numbers_and_shares(
    control: Control, spec: dict[str, object], desired: int, allowed: int
) -> None:
    assert await counts(control, **spec) == (4, desired, allowed)


async def test_unready_pods_are_not_healthy(control: Control) -> None:
    await counts(control, minAvailable=3)

    def unready(pod: Object) -> None:
        pod["status"]["conditions"] = []

    control.store.update("pods", "default", control.pods()[0]["metadata"]["name"], unready)
    await control.settle()
    assert status(control) == (3, 3, 0)


async def test_a_granted_eviction_that_never_shows_counts_for_two_minutes(
    control: Control,
) -> None:
    await counts(control, minAvailable=3)
    granted = {control.pods()[0]["metadata"]["name"]: stamp(control.store.now())}

    def spend(it: Object) -> None:
        it["status"]["disruptedPods"] = granted

    control.store.update("poddisruptionbudgets", "default", "web", spend)
    await control.settle(60)
    assert status(control) == (3, 3, 0)
    await control.settle(70)
    assert status(control) == (4, 3, 1)


async def test_a_budget_over_nothing_allows_nothing(control: Control) -> None:
    control.store.create("poddisruptionbudgets", budget(minAvailable=0, app="other"))
    await control.settle()
    assert status(control) == (0, 0, 0)
    assert control.get("poddisruptionbudgets")["status"]["observedGeneration"] == 1
