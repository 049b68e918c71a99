"""kubernetes.autoscale against the lab's API server and its autoscaler."""

import pytest
from pydantic import ValidationError

from healer.action.kubernetes.autoscale import Autoscale, AutoscaleParams
from healer.errors import PermanentError
from healer.lab.contract import Object
from healer.model.outcome import Result
from tests.fakes.lab import NAMESPACE, Lab, recorded, step


@pytest.fixture
def ruled(lab: Lab) -> Lab:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"}
    spec: Object = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 8}
    lab.create("horizontalpodautoscalers", "api-hpa", spec=spec)
    return lab


def bounds(lab: Lab) -> tuple[int, int]:
    spec = lab.get("horizontalpodautoscalers", "api-hpa")["spec"]
    return spec["minReplicas"], spec["maxReplicas"]


@pytest.mark.parametrize(
    ("wish", "then"),
    [
        ({"max": 12}, (2, 12)),
        ({"max": "*2"}, (2, 16)),
        ({"max": "*2", "at_most": 10}, (2, 10)),
        ({"min": "+2"}, (4, 8)),
        ({"min": "-9"}, (1, 8)),
        ({"min": "3", "max": 3}, (3, 3)),
    ],
)
async def test_bounds_are_numbers_or_changes_and_undo_brings_them_back(
    ruled: Lab, wish: dict[str, object], then: tuple[int, int]
) -> None:
    action = Autoscale(ruled.admin)
    params = recorded(await action.prepare(AutoscaleParams.model_validate(wish), step()))

    outcome = await action.run(params, step())
    after = bounds(ruled)
    undo = action.undo(params, outcome)
    assert undo
    assert isinstance(undo.params, AutoscaleParams)
    await action.run(recorded(undo.params), step())

    assert after == then
    assert bounds(ruled) == (2, 8)


async def test_freezing_takes_replicas_away_through_the_autoscaler(ruled: Lab) -> None:
    action = Autoscale(ruled.admin)

    await action.run(await action.prepare(AutoscaleParams(min=2, max=2), step()), step())

    await ruled.settled(2)


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        ({"min": 9}, "a minimum of 9 is above the maximum of 8"),
        ({"max": 1}, "a minimum of 2 is above the maximum of 1"),
        ({"min": 2, "max": 8}, "has these bounds already"),
        ({"max": "+4", "at_most": 8}, "has these bounds already"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_the_reason(
    ruled: Lab, wish: dict[str, object], why: str
) -> None:
    with pytest.raises(PermanentError, match=why):
        await Autoscale(ruled.admin).prepare(AutoscaleParams.model_validate(wish), step())


async def test_without_an_autoscaler_there_is_nothing_to_bound(lab: Lab) -> None:
    with pytest.raises(PermanentError, match="no autoscaler rules production/deployment/api"):
        await Autoscale(lab.admin).prepare(AutoscaleParams(max=9), step())


@pytest.mark.parametrize(
    ("found", "settled"), [(12, Result.SUCCEEDED), (8, Result.FAILED), (9, None)]
)
async def test_after_a_crash_the_bounds_tell_what_came_of_it(
    ruled: Lab, found: int, settled: Result | None
) -> None:
    action = Autoscale(ruled.admin)
    params = recorded(await action.prepare(AutoscaleParams(max=12), step()))
    await ruled.admin.workloads.set_bounds(NAMESPACE, "api-hpa", {"maxReplicas": found})

    outcome = await action.settle(params, step())

    assert (outcome.result if outcome else None) is settled


async def test_it_is_rehearsed_and_done_with_the_rights_that_it_names(ruled: Lab) -> None:
    action = Autoscale(ruled.healer)
    ruled.grant(action.permissions(AutoscaleParams(max=12), namespace=NAMESPACE))
    params = await action.prepare(AutoscaleParams(max=12), step())

    rehearsed = await action.run(params, step(dry_run=True))
    untouched = bounds(ruled)
    outcome = await action.run(params, step())

    assert (rehearsed.result, untouched) == (Result.SKIPPED, (2, 8))
    assert (outcome.result, bounds(ruled)) == (Result.SUCCEEDED, (2, 12))


@pytest.mark.parametrize("wish", [{}, {"max": 0}, {"max": "/2"}, {"max": "*0"}, {"maximum": 3}])
def test_what_is_no_bound_is_refused(wish: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AutoscaleParams.model_validate(wish)
