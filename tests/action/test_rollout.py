"""kubernetes.rollout-status and kubernetes.rollout-undo against the lab's API server."""

import pytest

from healer.action.kubernetes.rollback import RolloutUndo, RolloutUndoParams
from healer.action.kubernetes.rollout import RolloutStatus, RolloutStatusParams
from healer.errors import PermanentError, StepTimeoutError
from healer.lab.contract import Object
from healer.model.outcome import Result
from tests.fakes.lab import HastyClock, Lab, recorded, step

PARAMS = RolloutStatusParams()


def status(lab: Lab) -> RolloutStatus:
    return RolloutStatus(lab.admin, clock=HastyClock())


def container(lab: Lab) -> Object:
    found: Object = lab.get("deployments", "api")["spec"]["template"]["spec"]["containers"][0]
    return found


async def release(lab: Lab, image: str, *, sick: bool = False, **more: object) -> None:
    """Roll out another image; a sick one never gets ready."""
    if sick:
        lab.sick.add(image)

    def change(deployment: Object) -> None:
        deployment["spec"]["template"]["spec"]["containers"][0].update(image=image, **more)

    revision = (await lab.admin.workloads.get("production", "api")).revision
    lab.change("deployments", "api", change)
    note = "deployment.kubernetes.io/revision"
    await lab.until(
        lambda: lab.get("deployments", "api")["metadata"]["annotations"][note] != str(revision)
    )
    if not sick:
        await lab.settled()


async def test_a_rollout_is_waited_for_until_it_is_through(lab: Lab) -> None:
    lab.change("deployments", "api", lambda one: one["spec"].update(replicas=5))

    outcome = await status(lab).run(PARAMS, step())

    assert outcome.result is Result.SUCCEEDED
    assert outcome.evidence["available"] == 5


async def test_a_rollout_that_is_not_through_in_time_says_how_far_it_came(lab: Lab) -> None:
    await release(lab, "server:bad", sick=True)

    with pytest.raises(StepTimeoutError, match=r"not rolled out in time: of 3 wanted, 1 are new"):
        await status(lab).run(PARAMS, step(seconds=0.2))
    settled = await status(lab).settle(PARAMS, step())

    assert settled
    assert settled.result is Result.FAILED


async def test_what_kubernetes_has_given_up_is_not_waited_for(lab: Lab) -> None:
    lab.change("deployments", "api", lambda one: one["spec"].update(progressDeadlineSeconds=1))
    await release(lab, "server:bad", sick=True)

    outcome = await status(lab).run(PARAMS, step(seconds=20))

    assert outcome.result is Result.FAILED
    assert "Kubernetes gave up" in outcome.summary


async def test_a_rehearsal_waits_for_nothing(lab: Lab) -> None:
    await release(lab, "server:bad", sick=True)

    assert (await status(lab).run(PARAMS, step(dry_run=True))).result is Result.SKIPPED


async def test_the_revision_before_comes_back_whole(lab: Lab) -> None:
    await release(lab, "server:2", env=[{"name": "FAST", "value": "1"}])
    undo = RolloutUndo(lab.admin)
    params = recorded(await undo.prepare(RolloutUndoParams(), step()))

    outcome = await undo.run(params, step())

    assert outcome.result is Result.SUCCEEDED
    await lab.settled()
    assert container(lab)["image"] == "server:1"
    assert "env" not in container(lab)
    assert len(lab.store.list("replicasets", "production")) == 2


async def test_a_half_done_rollout_is_rolled_back(lab: Lab) -> None:
    await release(lab, "server:bad", sick=True)
    undo = RolloutUndo(lab.admin)

    await undo.run(await undo.prepare(RolloutUndoParams(), step()), step())

    await lab.settled()
    assert container(lab)["image"] == "server:1"


async def test_a_given_revision_comes_back(lab: Lab) -> None:
    for image in ("server:2", "server:3"):
        await release(lab, image)
    undo = RolloutUndo(lab.admin)

    await undo.run(await undo.prepare(RolloutUndoParams(revision=1), step()), step())

    await lab.settled()
    assert container(lab)["image"] == "server:1"


async def test_a_rollback_is_taken_back_by_name_for_revisions_are_renumbered(lab: Lab) -> None:
    await release(lab, "server:2")
    undo = RolloutUndo(lab.admin)
    params = await undo.prepare(RolloutUndoParams(), step())
    forward = undo.undo(recorded(params), await undo.run(params, step()))
    await lab.settled()
    assert forward
    assert isinstance(forward.params, RolloutUndoParams)

    await undo.run(recorded(forward.params), step(key="i-1.1.undo-step"))

    await lab.settled()
    assert container(lab)["image"] == "server:2"


async def test_a_revision_that_is_not_there_is_told_with_those_that_are(lab: Lab) -> None:
    await release(lab, "server:2")
    undo = RolloutUndo(lab.admin)

    with pytest.raises(PermanentError, match="has not revision 9; known are: 1, 2"):
        await undo.prepare(RolloutUndoParams(revision=9), step())
    with pytest.raises(PermanentError, match="is at revision 2 already"):
        await undo.prepare(RolloutUndoParams(revision=2), step())


async def test_a_first_revision_has_none_before_it(lab: Lab) -> None:
    with pytest.raises(PermanentError, match="has not an older revision"):
        await RolloutUndo(lab.admin).prepare(RolloutUndoParams(), step())


async def test_a_revision_that_was_cleaned_away_meanwhile_cannot_come_back(lab: Lab) -> None:
    await release(lab, "server:2")
    undo = RolloutUndo(lab.admin)
    params = await undo.prepare(RolloutUndoParams(), step())
    assert params.replica_set
    lab.store.delete("replicasets", "production", params.replica_set)

    with pytest.raises(PermanentError, match="is gone: no way back"):
        await undo.run(params, step())


async def test_after_a_crash_the_stamp_tells_whether_it_was_rolled_back(lab: Lab) -> None:
    await release(lab, "server:2")
    undo = RolloutUndo(lab.admin)
    params = recorded(await undo.prepare(RolloutUndoParams(), step()))

    before = await undo.settle(params, step())
    await undo.run(params, step())
    after = await undo.settle(params, step())

    assert before
    assert after
    assert (before.result, after.result) == (Result.FAILED, Result.SUCCEEDED)


async def test_a_dry_run_of_a_rollback_changes_nothing(lab: Lab) -> None:
    await release(lab, "server:2")
    undo = RolloutUndo(lab.admin)
    before = lab.versions

    params = await undo.prepare(RolloutUndoParams(), step(dry_run=True))
    outcome = await undo.run(params, step(dry_run=True))

    assert outcome.result is Result.SKIPPED
    assert "(revision 1)" in outcome.summary
    assert lab.versions == before


async def test_a_paused_rollout_is_not_rolled_back(lab: Lab) -> None:
    await release(lab, "server:2")
    lab.change("deployments", "api", lambda one: one["spec"].update(paused=True))

    with pytest.raises(PermanentError, match="paused"):
        await RolloutUndo(lab.admin).prepare(RolloutUndoParams(), step())


async def test_a_rollout_whose_pods_crash_is_not_waited_for_where_that_is_asked(lab: Lab) -> None:
    def crash(pod: Object) -> None:
        pod["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}

    def release(deployment: Object) -> None:
        deployment["spec"]["template"]["spec"]["containers"][0]["image"] = "server:2"

    lab.sick.add("server:2")
    lab.change("deployments", "api", release)
    await lab.until(lambda: len(lab.pods) > 3)
    lab.change("pods", str(lab.pods[0]["metadata"]["name"]), crash)
    status = RolloutStatus(lab.admin, clock=HastyClock())

    outcome = await status.run(RolloutStatusParams(until_crash=True), step())

    assert outcome.result is Result.FAILED
    assert str(lab.pods[0]["metadata"]["name"]) in outcome.summary
