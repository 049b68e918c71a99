"""kubernetes.evict and kubernetes.delete-pod against the lab's API server."""

import pytest
from pydantic import ValidationError

from healer.action.kubernetes.removal import DeletePod, Evict, RemovalParams
from healer.errors import PermanentError
from healer.lab.contract import Object
from healer.model.outcome import Result
from tests.fakes.lab import Lab, recorded, step


def protect(lab: Lab, *, least: int) -> None:
    """A budget for the pods."""
    spec = {"minAvailable": least, "selector": {"matchLabels": {"app": "api"}}}
    lab.create("poddisruptionbudgets", "api-pdb", spec=spec)


async def allowed(lab: Lab, disruptions: int) -> None:
    """Wait until the budget is worked out."""
    await lab.until(
        lambda: (
            lab.get("poddisruptionbudgets", "api-pdb").get("status", {}).get("disruptionsAllowed")
            == disruptions
        )
    )


def first(lab: Lab) -> str:
    return str(lab.pods[0]["metadata"]["name"])


def unready(pod: Object) -> None:
    for condition in pod["status"]["conditions"]:
        if condition["type"] == "Ready":
            condition["status"] = "False"


@pytest.mark.parametrize("kind", [Evict, DeletePod])
async def test_one_pod_goes_and_a_new_one_comes(lab: Lab, kind: type[Evict | DeletePod]) -> None:
    action, name = kind(lab.admin), first(lab)
    params = recorded(await action.prepare(RemovalParams(pod=name), step()))

    outcome = await action.run(params, step())

    assert outcome.result is Result.SUCCEEDED
    await lab.until(lambda: name not in {pod["metadata"]["name"] for pod in lab.pods})
    await lab.settled()
    assert action.undo(params, outcome) is None


async def test_a_budget_that_allows_it_is_asked_and_spent(lab: Lab) -> None:
    protect(lab, least=2)
    await allowed(lab, 1)
    evict = Evict(lab.admin)

    params = await evict.prepare(RemovalParams(pod=first(lab)), step())

    assert (await evict.run(params, step())).result is Result.SUCCEEDED


async def test_an_exhausted_budget_is_surely_not_done_and_says_why(lab: Lab) -> None:
    protect(lab, least=3)
    await allowed(lab, 0)
    evict = Evict(lab.admin)
    params = await evict.prepare(RemovalParams(pod=first(lab)), step())
    before = lab.versions

    outcome = await evict.run(params, step())

    assert outcome.result is Result.FAILED
    assert "the budget allows no disruption now" in outcome.summary
    assert lab.versions == before


async def test_deleting_goes_past_every_budget(lab: Lab) -> None:
    protect(lab, least=3)
    await allowed(lab, 0)
    delete, name = DeletePod(lab.admin), first(lab)

    await delete.run(await delete.prepare(RemovalParams(pod=name), step()), step())

    await lab.until(lambda: name not in {pod["metadata"]["name"] for pod in lab.pods})


async def test_a_pod_that_was_replaced_meanwhile_is_left_alone_and_spends_no_budget(
    lab: Lab,
) -> None:
    protect(lab, least=2)
    await allowed(lab, 1)
    name = first(lab)
    other = RemovalParams(pod=name, uid="the-one-before")

    outcome = await Evict(lab.admin).run(other, step())

    assert outcome.result is Result.SUCCEEDED
    assert name in {pod["metadata"]["name"] for pod in lab.pods}
    status = lab.get("poddisruptionbudgets", "api-pdb")["status"]
    assert status["disruptionsAllowed"] == 1


@pytest.mark.parametrize("kind", [Evict, DeletePod])
async def test_a_dry_run_changes_nothing(lab: Lab, kind: type[Evict | DeletePod]) -> None:
    action, before = kind(lab.admin), lab.versions
    params = await action.prepare(RemovalParams(pod=first(lab)), step(dry_run=True))

    outcome = await action.run(params, step(dry_run=True))

    assert outcome.result is Result.SKIPPED
    assert lab.versions == before


async def test_after_a_crash_the_pod_s_absence_tells_that_it_was_done(lab: Lab) -> None:
    evict, name = Evict(lab.admin), first(lab)
    params = recorded(await evict.prepare(RemovalParams(pod=name), step()))

    before = await evict.settle(params, step())
    await evict.run(params, step())
    await lab.until(lambda: name not in {pod["metadata"]["name"] for pod in lab.pods})
    after = await evict.settle(params, step())

    assert before
    assert after
    assert (before.result, after.result) == (Result.FAILED, Result.SUCCEEDED)


async def test_the_pod_that_is_not_ready_is_chosen(lab: Lab) -> None:
    name = first(lab)
    lab.change("pods", name, unready)

    params = await Evict(lab.admin).prepare(RemovalParams(select="not-ready"), step())

    assert params.pod == name
    assert params.uid == lab.get("pods", name)["metadata"]["uid"]


async def test_where_none_fits_nothing_is_done(lab: Lab) -> None:
    with pytest.raises(PermanentError, match="no pod that is not-ready"):
        await Evict(lab.admin).prepare(RemovalParams(select="not-ready"), step())


async def test_the_one_that_restarted_most_is_chosen(lab: Lab) -> None:
    name = str(lab.pods[1]["metadata"]["name"])

    def restarted(pod: Object) -> None:
        pod["status"]["containerStatuses"][0]["restartCount"] = 7

    lab.change("pods", name, restarted)

    assert (
        await Evict(lab.admin).prepare(RemovalParams(select="most-restarted"), step())
    ).pod == name


async def test_the_one_that_was_killed_for_memory_is_chosen(lab: Lab) -> None:
    name = str(lab.pods[2]["metadata"]["name"])
    ended = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}

    def killed(pod: Object) -> None:
        pod["status"]["containerStatuses"][0]["lastState"] = ended

    lab.change("pods", name, killed)

    assert (await Evict(lab.admin).prepare(RemovalParams(select="oom-killed"), step())).pod == name


async def test_a_pod_of_somebody_else_is_none_of_ours(lab: Lab) -> None:
    spec = {"containers": [{"name": "db", "image": "db"}]}
    lab.store.create(
        "pods",
        {
            "metadata": {"name": "db-0", "namespace": "production", "labels": {"app": "db"}},
            "spec": spec,
        },
    )

    with pytest.raises(PermanentError, match="no pod db-0 that app=api selects"):
        await Evict(lab.admin).prepare(RemovalParams(pod="db-0"), step())


@pytest.mark.parametrize(
    "params",
    [{}, {"pod": "a", "select": "oldest"}, {"select": "all"}, {"pod": ""}, {"pod": "../x"}],
)
def test_which_pod_must_be_said_and_only_once(params: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        RemovalParams.model_validate(params)


@pytest.mark.parametrize("kind", [Evict, DeletePod])
async def test_with_nobody_to_remove_an_optional_removal_succeeds_and_touches_nothing(
    lab: Lab, kind: type[Evict | DeletePod]
) -> None:
    action, before = kind(lab.admin), lab.versions
    params = await action.prepare(RemovalParams(select="not-ready", optional=True), step())

    rehearsed = await action.run(recorded(params), step(dry_run=True))
    outcome = await action.run(recorded(params), step())
    settled = await action.settle(recorded(params), step())

    assert rehearsed.result is Result.SKIPPED
    assert outcome.result is Result.SUCCEEDED
    assert settled == outcome
    assert "nobody to remove" in outcome.summary
    assert lab.versions == before


@pytest.mark.parametrize("kind", [Evict, DeletePod])
async def test_an_optional_removal_removes_whom_it_finds(
    lab: Lab, kind: type[Evict | DeletePod]
) -> None:
    lab.change("pods", name := first(lab), unready)
    action = kind(lab.admin)
    params = await action.prepare(RemovalParams(select="not-ready", optional=True), step())

    outcome = await action.run(recorded(params), step())

    assert (params.pod, outcome.result) == (name, Result.SUCCEEDED)
