"""kubernetes.scale against the lab's API server and controllers."""

import pytest
from pydantic import ValidationError

from healer.action.kubernetes.scale import Scale, ScaleParams
from healer.errors import PermanentError
from healer.lab.contract import Object
from healer.model.outcome import Result
from tests.fakes.lab import Lab, recorded, step


def rule(lab: Lab, *, least: int | None, most: int) -> None:
    """An autoscaler rules the deployment from now on."""
    spec: Object = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"},
        "maxReplicas": most,
    }
    if least is not None:
        spec["minReplicas"] = least
    lab.create("horizontalpodautoscalers", "api-hpa", spec=spec)


def bounds(lab: Lab) -> tuple[int, int]:
    spec = lab.get("horizontalpodautoscalers", "api-hpa")["spec"]
    return spec["minReplicas"], spec["maxReplicas"]


@pytest.mark.parametrize(("wanted", "then"), [("+2", 5), ("-1", 2), (8, 8), ("7", 7), (0, 0)])
async def test_a_deployment_without_autoscaler_is_scaled_itself(
    lab: Lab, wanted: int | str, then: int
) -> None:
    scale = Scale(lab.admin)
    params = recorded(await scale.prepare(ScaleParams(replicas=wanted), step()))

    outcome = await scale.run(params, step())

    assert (params.replicas, params.previous, params.autoscaler) == (then, 3, None)
    assert outcome.result is Result.SUCCEEDED
    await lab.settled(then)


async def test_undo_puts_the_old_number_back(lab: Lab) -> None:
    scale = Scale(lab.admin)
    params = await scale.prepare(ScaleParams(replicas="+2", at_most=9), step())
    undo = scale.undo(recorded(params), await scale.run(params, step()))
    assert undo
    assert undo.action == "kubernetes.scale"

    assert isinstance(undo.params, ScaleParams)
    outcome = await scale.run(recorded(undo.params), step())

    assert outcome.summary == "set the replicas of production/deployment/api from 5 to 3"
    await lab.settled(3)


async def test_an_autoscaler_s_minimum_is_raised_and_it_does_the_rest(lab: Lab) -> None:
    rule(lab, least=2, most=8)
    scale = Scale(lab.admin)
    params = recorded(await scale.prepare(ScaleParams(replicas="+2"), step()))

    await scale.run(params, step())

    assert (params.replicas, params.previous, params.autoscaler) == (5, 2, "api-hpa")
    assert bounds(lab) == (5, 8)
    await lab.settled(5)


async def test_undo_gives_the_autoscaler_its_old_minimum(lab: Lab) -> None:
    rule(lab, least=2, most=8)
    scale = Scale(lab.admin)
    params = await scale.prepare(ScaleParams(replicas="+2"), step())
    undo = scale.undo(params, await scale.run(params, step()))
    assert undo

    assert isinstance(undo.params, ScaleParams)
    await scale.run(undo.params, step())

    assert bounds(lab) == (2, 8)


async def test_a_minimum_that_was_never_set_comes_back_as_the_default_of_one(lab: Lab) -> None:
    rule(lab, least=None, most=8)
    scale = Scale(lab.admin)

    params = await scale.prepare(ScaleParams(replicas="+1"), step())

    assert (params.replicas, params.previous) == (4, 1)


async def test_a_minimum_never_goes_past_the_maximum(lab: Lab) -> None:
    rule(lab, least=1, most=4)
    scale = Scale(lab.admin)
    params = await scale.prepare(ScaleParams(replicas=8), step())

    await scale.run(params, step())

    assert bounds(lab) == (4, 4)


async def test_at_the_autoscaler_s_maximum_nothing_is_done_and_the_bound_is_named(lab: Lab) -> None:
    rule(lab, least=1, most=3)

    with pytest.raises(PermanentError, match="autoscaler api-hpa allows at most 3"):
        await Scale(lab.admin).prepare(ScaleParams(replicas="+2"), step())


async def test_the_playbook_s_own_bound_holds_without_an_autoscaler(lab: Lab) -> None:
    scale = Scale(lab.admin)

    assert (await scale.prepare(ScaleParams(replicas="+4", at_most=5), step())).replicas == 5
    with pytest.raises(PermanentError, match="3 replicas already"):
        await scale.prepare(ScaleParams(replicas="+4", at_most=3), step())


async def test_a_bound_below_what_is_there_takes_nothing_away(lab: Lab) -> None:
    with pytest.raises(PermanentError, match="3 replicas already"):
        await Scale(lab.admin).prepare(ScaleParams(replicas="+4", at_most=2), step())


async def test_taking_away_never_takes_the_last_one(lab: Lab) -> None:
    assert (await Scale(lab.admin).prepare(ScaleParams(replicas="-9"), step())).replicas == 1


async def test_fewer_than_an_autoscaler_wants_is_refused_with_the_reason(lab: Lab) -> None:
    rule(lab, least=1, most=8)

    with pytest.raises(PermanentError, match="what autoscaler api-hpa wants"):
        await Scale(lab.admin).prepare(ScaleParams(replicas="-1"), step())


async def test_a_raised_minimum_can_be_lowered_again(lab: Lab) -> None:
    rule(lab, least=3, most=8)

    params = await Scale(lab.admin).prepare(ScaleParams(replicas="-1"), step())

    assert (params.replicas, params.previous) == (2, 3)


async def test_preparing_twice_does_not_add_twice(lab: Lab) -> None:
    scale = Scale(lab.admin)
    once = await scale.prepare(ScaleParams(replicas="+2"), step())

    assert await scale.prepare(recorded(once), step()) == once


@pytest.mark.parametrize("ruled", [False, True])
async def test_a_dry_run_asks_the_server_and_changes_nothing(lab: Lab, *, ruled: bool) -> None:
    if ruled:
        rule(lab, least=1, most=8)
    before = lab.versions
    scale = Scale(lab.admin)
    params = await scale.prepare(ScaleParams(replicas="+2"), step(dry_run=True))

    outcome = await scale.run(params, step(dry_run=True))

    assert outcome.result is Result.SKIPPED
    assert outcome.summary.startswith("would set")
    assert lab.versions == before
    assert scale.undo(params, outcome) is None


@pytest.mark.parametrize(
    ("found", "settled"), [(5, Result.SUCCEEDED), (3, Result.FAILED), (4, None)]
)
async def test_after_a_crash_the_world_tells_what_came_of_it(
    lab: Lab, found: int, settled: Result | None
) -> None:
    scale = Scale(lab.admin)
    params = recorded(await scale.prepare(ScaleParams(replicas=5), step()))
    await lab.admin.workloads.set_scale("production", "api", found)

    outcome = await scale.settle(params, step())

    assert (outcome.result if outcome else None) is settled


@pytest.mark.parametrize(
    ("found", "settled"), [(5, Result.SUCCEEDED), (1, Result.FAILED), (4, None)]
)
async def test_after_a_crash_the_autoscaler_tells_what_came_of_it(
    lab: Lab, found: int, settled: Result | None
) -> None:
    rule(lab, least=1, most=8)
    scale = Scale(lab.admin)
    params = recorded(await scale.prepare(ScaleParams(replicas=5), step()))
    await lab.admin.workloads.set_bounds("production", "api-hpa", {"minReplicas": found})

    outcome = await scale.settle(params, step())

    assert (outcome.result if outcome else None) is settled


async def test_what_is_no_deployment_is_refused(lab: Lab) -> None:
    with pytest.raises(PermanentError, match="is no deployment"):
        await Scale(lab.admin).prepare(ScaleParams(replicas=5), step(kind="statefulset"))


@pytest.mark.parametrize("replicas", [-1, "", "two", "+", "++1", "1.5", "+99999", None, "٣"])
def test_what_is_no_number_of_replicas_is_told_with_what_would_be_right(replicas: object) -> None:
    with pytest.raises(ValidationError):
        ScaleParams.model_validate({"replicas": replicas})


def test_unknown_parameters_are_refused() -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        ScaleParams.model_validate({"replicas": 3, "replica": 4})
