"""kubernetes.pods over the lab's API server: counts, and who counts where."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import ValidationError

from healer.check.contract import CheckContext
from healer.check.kubernetes.pod import PodParams, PodState
from healer.errors import PermanentError
from healer.kit.clock import SystemClock
from healer.lab.contract import Object
from healer.model.outcome import Finding
from tests.fakes.lab import NAMESPACE, Lab

PARAMS = PodParams()


async def look(lab: Lab, ctx: CheckContext, params: PodParams = PARAMS) -> Finding:
    return await PodState(lab.admin, clock=SystemClock()).look(params, ctx)


def first(lab: Lab, change: Callable[[Object], None]) -> str:
    name = str(lab.pods[0]["metadata"]["name"])
    lab.change("pods", name, change)
    return name


def unready(pod: Object) -> None:
    """As the node controller leaves a pod on a node that nobody can reach."""
    for one in pod["status"]["conditions"]:
        if one["type"] == "Ready":
            one["status"] = "False"
            one["reason"] = "NodeNotReady"


async def test_its_own_rights_are_enough_to_count_ready_pods(lab: Lab, ctx: CheckContext) -> None:
    check = PodState(lab.healer, clock=SystemClock())
    lab.grant(check.permissions(PARAMS, namespace=NAMESPACE))

    found = await check.look(PARAMS, ctx)

    assert found.holds
    told = {"total": 3, "ready": 3, "pending": 0, "restarts": 0, "trouble": ""}
    assert told.items() <= found.evidence.items()
    assert found.evidence["not_ready"] == []
    assert found.evidence["names"] == sorted(one["metadata"]["name"] for one in lab.pods)
    age = found.evidence["newest_age_seconds"]
    assert isinstance(age, float)
    assert 0 <= age < timedelta(minutes=1).total_seconds()


async def test_a_pod_on_an_unreachable_node_is_not_ready_whatever_its_containers_say(
    lab: Lab, ctx: CheckContext
) -> None:
    name = first(lab, unready)
    said = lab.get("pods", name)["status"]["containerStatuses"]
    assert all(one["ready"] for one in said)

    found = await look(lab, ctx)

    assert not found.holds
    assert (found.evidence["ready"], found.evidence["not_ready"]) == (2, [name])
    assert found.evidence["trouble"] == f"{name}: NodeNotReady"


@pytest.mark.parametrize(
    ("key", "status"),
    [
        ("crash_looping", {"state": {"waiting": {"reason": "CrashLoopBackOff"}}}),
        ("oom_killed", {"lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}),
        ("image_pull", {"state": {"waiting": {"reason": "ImagePullBackOff"}}}),
    ],
)
async def test_each_kind_of_trouble_has_a_count_of_its_own(
    lab: Lab, ctx: CheckContext, key: str, status: Object
) -> None:
    def hurt(pod: Object) -> None:
        unready(pod)
        pod["status"]["containerStatuses"][0] |= {"restartCount": 4, **status}

    first(lab, hurt)
    kinds = ("crash_looping", "oom_killed", "image_pull")

    found = await look(lab, ctx)

    assert {one: found.evidence[one] for one in kinds} == {one: int(one == key) for one in kinds}
    assert found.evidence["restarts"] == 4


@pytest.mark.parametrize(
    ("probe", "started", "starting"),
    [
        ({"httpGet": {"path": "/", "port": 80}}, False, 1),
        ({"httpGet": {}}, True, 0),
        (None, True, 1),
    ],
)
async def test_a_pod_that_had_come_up_is_not_starting(
    lab: Lab, ctx: CheckContext, probe: Object | None, started: bool, starting: int
) -> None:
    def hurt(pod: Object) -> None:
        unready(pod)
        pod["spec"]["containers"][0]["startupProbe"] = probe
        pod["status"]["containerStatuses"][0]["started"] = started

    first(lab, hurt)

    found = await look(lab, ctx)

    assert (found.evidence["ready"], found.evidence["starting"]) == (2, starting)


async def test_a_pod_that_has_ended_is_no_part_of_the_total(lab: Lab, ctx: CheckContext) -> None:
    labels = {"app": "api"}
    lab.store.create(
        "pods",
        {
            "metadata": {"name": "evicted", "namespace": NAMESPACE, "labels": labels},
            "spec": {"containers": [{"name": "server", "image": "server:1"}]},
            "status": {"phase": "Failed", "reason": "Evicted"},
        },
    )

    found = await look(lab, ctx)

    assert found.evidence["ended"] == 1
    names = found.evidence["names"]
    assert isinstance(names, list)
    assert "evicted" not in names


async def test_no_pods_are_an_answer_and_not_a_good_one(lab: Lab, ctx: CheckContext) -> None:
    found = await look(lab, ctx, PodParams(selector="app=nobody"))

    assert found.known
    assert not found.holds
    assert found.evidence["total"] == 0
    assert found.evidence["newest_age_seconds"] is None


@pytest.mark.parametrize("selector", ["", "   "])
async def test_an_empty_selector_is_refused_wherever_it_comes_from(
    lab: Lab, ctx: CheckContext, selector: str
) -> None:
    with pytest.raises(ValidationError, match="at least 1 character"):
        PodParams(selector=selector)

    careless = replace(ctx, service=replace(ctx.service, selector=selector))
    with pytest.raises(PermanentError, match="every pod: refused"):
        await look(lab, careless)


async def test_what_no_node_has_enough_of_is_named(lab: Lab, ctx: CheckContext) -> None:
    told = "0/3 nodes are available: 2 Insufficient nvidia.com/gpu, 3 Insufficient memory."

    def refuse(pod: Object) -> None:
        unready(pod)
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
        pod["status"]["conditions"] = [{**condition, "message": told}]

    first(lab, refuse)

    found = await look(lab, ctx)

    assert found.evidence["unschedulable"] == 1
    assert found.evidence["lacking"] == ["memory", "nvidia.com/gpu"]
    assert told in str(found.evidence["trouble"])


async def test_pods_that_have_all_crashed_are_crashing_before_any_of_them_loops(
    lab: Lab, ctx: CheckContext
) -> None:
    ended = {"lastState": {"terminated": {"reason": "Error", "exitCode": 1}}}

    def crash(pod: Object) -> None:
        unready(pod)
        pod["status"]["containerStatuses"][0] |= {"restartCount": 1, **ended}

    names = [str(one["metadata"]["name"]) for one in lab.pods]
    told: list[object] = []
    for name in names:
        lab.change("pods", name, crash)
        told.append((await look(lab, ctx)).evidence["crashing"])

    assert told == [False, False, True]
