"""Rollouts: up, over, back, stuck and through; never outside their fence."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.lab.contract import Object
from healer.lab.controller.rollout import Fence, Set, fence, new_size, old_sizes
from healer.lab.controller.state import is_active, is_ready
from tests.fakes.apiserver import deployment
from tests.fakes.control import Control

pytestmark = pytest.mark.looptime


async def start(control: Control, *, replicas: int = 3, **spec: object) -> None:
    """A deployment that has come up."""
    body = deployment(replicas=replicas)
    body["spec"] |= spec
    control.store.create("deployments", body)
    await control.settle()


def images(control: Control) -> set[str]:
    """Of all pods."""
    return {pod["spec"]["containers"][0]["image"] for pod in control.pods()}


async def test_it_comes_up_and_says_so(control: Control) -> None:
    await start(control)
    status = control.get("deployments")["status"]
    counts = {key: value for key, value in status.items() if key != "conditions"}
    assert counts == {
        "replicas": 3,
        "updatedReplicas": 3,
        "readyReplicas": 3,
        "availableReplicas": 3,
        "unavailableReplicas": 0,
        "observedGeneration": 1,
    }
    assert control.condition("Available")["reason"] == "MinimumReplicasAvailable"
    assert control.condition("Progressing")["reason"] == "NewReplicaSetAvailable"
    assert all("pod-template-hash" in pod["metadata"]["labels"] for pod in control.pods())


async def test_what_a_quota_refuses_is_tried_again_ever_more_rarely(control: Control) -> None:
    await start(control)
    hard = {"hard": {"pods": "0"}}
    meta = {"name": "none", "namespace": "default"}
    control.store.create("resourcequotas", {"metadata": meta, "spec": hard})
    control.change("deployments", replicas=4)
    await control.settle(15)
    assert len(control.pods()) == 3
    (event,) = [one for one in control.store.list("events") if one["reason"] == "FailedCreate"]
    assert "exceeded quota: none, requested: pods=1, used: pods=3" in event["message"]
    assert event["count"] < 20
    for pod in control.pods():
        control.store.delete("pods", "default", pod["metadata"]["name"])
    await control.settle(1)
    control.store.delete("resourcequotas", "default", "none")

    await control.settle(10)
    assert control.pods() == []
    control.image("server:2")
    await control.settle()
    assert control.ready() == 4


async def test_a_lost_pod_is_replaced(control: Control) -> None:
    await start(control)
    lost = control.pods()[0]["metadata"]["name"]
    control.store.delete("pods", "default", lost)
    await control.settle()
    assert lost not in {pod["metadata"]["name"] for pod in control.pods()}
    assert control.ready() == 3


async def test_a_failed_pod_is_kept_and_another_made(control: Control) -> None:
    await start(control, replicas=1)
    name = control.pods()[0]["metadata"]["name"]
    control.store.update("pods", "default", name, lambda it: it["status"].update(phase="Failed"))
    await control.settle()
    assert len(control.pods()) == 2
    assert control.ready() == 1


async def test_a_rollout_never_leaves_its_fence(control: Control) -> None:
    await start(control, replicas=4)
    live = {pod["metadata"]["name"]: pod for pod in control.pods()}
    serving, running = set[int](), set[int]()
    with control.store.history.listening("pods", control.store.history.version) as lines:
        control.image("server:2")
        await control.settle()
        while not lines.empty():
            change = lines.get_nowait().change
            live[change.object["metadata"]["name"]] = change.object
            if change.type == "DELETED":
                del live[change.object["metadata"]["name"]]
            active = [pod for pod in live.values() if is_active(pod)]
            running.add(len(active))
            serving.add(sum(is_ready(pod) for pod in active))
    assert images(control) == {"server:2"}
    assert min(serving) >= 3
    assert max(running) <= 5


async def test_a_sick_template_leaves_enough_of_the_old_ones_and_misses_its_deadline(
    control: Control,
) -> None:
    await start(control, replicas=4, progressDeadlineSeconds=60)
    control.sick.add("server:2")
    control.image("server:2")
    await control.settle()
    assert control.ready() >= 3
    assert control.condition("Progressing")["status"] == "True"
    await control.settle(90)
    condition = control.condition("Progressing")
    assert (condition["status"], condition["reason"]) == ("False", "ProgressDeadlineExceeded")
    assert control.condition("Available")["status"] == "True"
    control.image("server:1")
    await control.settle()
    assert images(control) == {"server:1"}
    assert control.condition("Progressing")["reason"] == "NewReplicaSetAvailable"


async def test_the_old_template_gets_the_newest_revision_again(control: Control) -> None:
    await start(control)
    for image in ("server:2", "server:1"):
        control.image(image)
        await control.settle()
    key = "deployment.kubernetes.io/revision"
    sets = control.store.list("replicasets")
    assert sorted(one["metadata"]["annotations"][key] for one in sets) == ["2", "3"]
    assert control.get("deployments")["metadata"]["annotations"][key] == "3"


async def test_recreate_never_runs_old_and_new_together(control: Control) -> None:
    await start(control, strategy={"type": "Recreate"})
    since = control.store.history.version
    with control.store.history.listening("pods", since) as lines:
        control.image("server:2")
        await control.settle()
        order: list[str] = []
        while not lines.empty():
            line = lines.get_nowait()
            if line.change.type in {"DELETED", "ADDED"}:
                order.append(line.change.type)
    assert order == ["DELETED"] * 3 + ["ADDED"] * 3
    assert images(control) == {"server:2"}


async def test_a_paused_deployment_scales_but_does_not_roll(control: Control) -> None:
    await start(control)
    control.change("deployments", paused=True)
    control.image("server:2")
    await control.settle()
    assert images(control) == {"server:1"}
    control.change("deployments", paused=False)
    await control.settle()
    assert images(control) == {"server:2"}


async def test_old_templates_are_forgotten_beyond_the_limit(control: Control) -> None:
    await start(control, revisionHistoryLimit=1)
    for number in range(2, 6):
        control.image(f"server:{number}")
        await control.settle()
    assert len(control.store.list("replicasets")) == 2


async def test_scaling_down_takes_the_unready_and_the_newest_first(control: Control) -> None:
    await start(control, replicas=2)
    oldest = {pod["metadata"]["name"] for pod in control.pods()}
    control.change("deployments", replicas=4)
    await control.settle()
    sick = min(oldest)

    def unready(pod: Object) -> None:
        pod["status"]["conditions"] = [{"type": "Ready", "status": "False"}]

    control.store.update("pods", "default", sick, unready)
    control.change("deployments", replicas=1)
    await control.settle()
    assert {pod["metadata"]["name"] for pod in control.pods()} == oldest - {sick}


async def test_ready_for_long_enough_is_what_makes_available(control: Control) -> None:
    await start(control, minReadySeconds=30)
    status = control.get("deployments")["status"]
    assert (status["readyReplicas"], status["availableReplicas"]) == (3, 0)
    await control.settle(40)
    assert control.get("deployments")["status"]["availableReplicas"] == 3


async def test_deleting_it_takes_everything_along(control: Control) -> None:
    await start(control)
    control.store.delete("deployments", "default", "web")
    await control.settle()
    assert control.pods() == control.store.list("replicasets") == []


# --------------------------------------------------------------------------- the arithmetic alone


def test_the_fence_rounds_surge_up_and_unavailable_down() -> None:
    body = deployment(replicas=3)
    rolling = {"maxSurge": "25%", "maxUnavailable": "25%"}
    body["spec"]["strategy"] = {"type": "RollingUpdate", "rollingUpdate": rolling}
    assert fence(body) == Fence(replicas=3, surge=1, unavailable=0)
    rolling |= {"maxSurge": "0%", "maxUnavailable": "10%"}
    assert fence(body).unavailable == 1


def _walk(limits: Fence, new: Set, old: Sequence[Set]) -> tuple[Set, list[Set]]:
    size = new_size(limits, new, old)
    new = Set(name="new", wanted=size, available=min(new.available, size))
    sizes = old_sizes(limits, new, old)
    left = [
        Set(name=one.name, wanted=sizes[one.name], available=min(one.available, sizes[one.name]))
        for one in old
    ]
    return new, left


counts = st.integers(0, 6)


@given(st.integers(1, 8), counts, counts, st.lists(counts, max_size=3))
def test_a_rollout_keeps_its_fence_and_ends_whatever_it_starts_from(
    replicas: int, surge: int, unavailable: int, olds: list[int]
) -> None:
    unavailable = min(max(unavailable, 0 if surge else 1), replicas)
    limits = Fence(replicas=replicas, surge=surge, unavailable=unavailable)
    new = Set(name="new", wanted=0, available=0)
    old = [Set(name=str(i), wanted=n, available=n) for i, n in enumerate(olds)]
    for _ in range(100):
        before = new.available + sum(one.available for one in old)
        new, old = _walk(limits, new, old)
        total = new.wanted + sum(one.wanted for one in old)
        after = new.available + sum(one.available for one in old)
        assert after >= min(before, limits.least)
        assert total <= max(replicas + surge, sum(olds))
        new = Set(name="new", wanted=new.wanted, available=new.wanted)
    assert new.wanted == replicas
    assert sum(one.wanted for one in old) == 0
