"""kubernetes.rollout-restart against the lab's API server and controllers."""

import pytest

from healer.action.kubernetes.restart import RestartParams, RolloutRestart
from healer.errors import PermanentError
from healer.model.outcome import Result
from tests.fakes.lab import HastyClock, Lab, step


def restart(lab: Lab) -> RolloutRestart:
    return RolloutRestart(lab.admin, clock=HastyClock())


def names(lab: Lab) -> set[str]:
    return {pod["metadata"]["name"] for pod in lab.pods}


async def test_every_pod_is_replaced(lab: Lab) -> None:
    before = names(lab)
    params = await restart(lab).prepare(RestartParams(), step())

    outcome = await restart(lab).run(params, step())

    assert outcome.result is Result.SUCCEEDED
    await lab.until(lambda: not before & names(lab))
    await lab.settled()
    assert restart(lab).undo(params, outcome) is None


async def test_containers_keep_what_the_patch_does_not_name(lab: Lab) -> None:
    await restart(lab).run(RestartParams(), step())

    spec = lab.get("deployments", "api")["spec"]["template"]["spec"]
    assert [one["image"] for one in spec["containers"]] == ["server:1"]


async def test_a_second_try_of_the_same_step_restarts_nothing_anew(lab: Lab) -> None:
    await restart(lab).run(RestartParams(), step())
    await lab.settled()
    before = lab.get("deployments", "api")["metadata"]["generation"]

    await restart(lab).run(RestartParams(), step())
    assert lab.get("deployments", "api")["metadata"]["generation"] == before

    await restart(lab).run(RestartParams(), step(key="i-1.2.step"))
    assert lab.get("deployments", "api")["metadata"]["generation"] == before + 1


async def test_after_a_crash_the_stamp_tells_whether_it_was_done(lab: Lab) -> None:
    before = await restart(lab).settle(RestartParams(), step())
    await restart(lab).run(RestartParams(), step())
    after = await restart(lab).settle(RestartParams(), step())
    other = await restart(lab).settle(RestartParams(), step(key="i-2.1.step"))

    assert [one.result for one in (before, after, other) if one] == [
        Result.FAILED,
        Result.SUCCEEDED,
        Result.FAILED,
    ]


async def test_a_dry_run_asks_the_server_and_changes_nothing(lab: Lab) -> None:
    before = lab.versions

    outcome = await restart(lab).run(RestartParams(), step(dry_run=True))

    assert outcome.result is Result.SKIPPED
    assert lab.versions == before


async def test_a_paused_rollout_is_refused(lab: Lab) -> None:
    lab.change("deployments", "api", lambda one: one["spec"].update(paused=True))

    with pytest.raises(PermanentError, match="paused: resume it first"):
        await restart(lab).prepare(RestartParams(), step())
