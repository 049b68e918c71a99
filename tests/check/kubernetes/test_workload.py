"""kubernetes.workload over the lab's API server, with no more rights than it asks for."""

from dataclasses import replace

import pytest

from healer.check.contract import CheckContext
from healer.check.kubernetes.workload import WorkloadParams, WorkloadState
from healer.errors import PermanentError, RejectedError
from healer.lab.contract import Object
from healer.model.service import Target
from tests.fakes.lab import NAMESPACE, Lab

PARAMS = WorkloadParams()


def rule(lab: Lab, *, most: int) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"}
    spec = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": most}
    lab.create("horizontalpodautoscalers", "api", spec=spec)


async def test_its_own_rights_are_enough_to_tell_how_a_deployment_does(
    lab: Lab, ctx: CheckContext
) -> None:
    check = WorkloadState(lab.healer)
    lab.grant(check.permissions(PARAMS, namespace=NAMESPACE))

    found = await check.look(PARAMS, ctx)

    assert found.holds
    told = {"replicas": 3, "ready": 3, "updated": 3, "available": 3, "revision": 1}
    assert told.items() <= found.evidence.items()
    assert found.evidence["image"] == "server:1"
    assert found.evidence["rolling"] is False
    assert found.evidence["hpa"] is False
    assert found.evidence["at_max"] is False


async def test_without_rights_it_says_that_it_may_not_look(lab: Lab, ctx: CheckContext) -> None:
    with pytest.raises(RejectedError, match="forbidden") as caught:
        await WorkloadState(lab.healer).look(PARAMS, ctx)

    assert caught.value.reason == "Forbidden"


@pytest.mark.parametrize(("most", "at_max"), [(3, True), (8, False)])
async def test_an_autoscaler_that_gives_no_more_is_at_its_maximum(
    lab: Lab, ctx: CheckContext, most: int, *, at_max: bool
) -> None:
    rule(lab, most=most)

    found = await WorkloadState(lab.admin).look(PARAMS, ctx)

    told = {"hpa": True, "hpa_min": 2, "hpa_max": most, "at_max": at_max}
    assert told.items() <= found.evidence.items()


async def test_a_rollout_under_way_is_seen_even_while_all_old_pods_serve(
    lab: Lab, ctx: CheckContext
) -> None:
    lab.sick.add("server:2")

    def upgrade(one: Object) -> None:
        one["spec"]["template"]["spec"]["containers"][0]["image"] = "server:2"

    lab.change("deployments", "api", upgrade)

    found = await WorkloadState(lab.admin).look(PARAMS, ctx)

    assert not found.holds
    assert found.evidence["rolling"] is True
    assert found.evidence["image"] == "server:2"


async def test_what_is_no_deployment_must_be_named(lab: Lab, ctx: CheckContext) -> None:
    node = replace(ctx, target=Target(namespace=NAMESPACE, kind="statefulset", name="db"))

    with pytest.raises(PermanentError, match="is no deployment"):
        await WorkloadState(lab.admin).look(PARAMS, node)

    assert (await WorkloadState(lab.admin).look(WorkloadParams(name="api"), node)).holds


async def test_a_deployment_that_is_not_there_is_an_error_not_a_finding(
    lab: Lab, ctx: CheckContext
) -> None:
    with pytest.raises(RejectedError, match="not found"):
        await WorkloadState(lab.admin).look(WorkloadParams(name="nobody"), ctx)


async def test_a_deployment_that_is_gone_is_an_answer_and_not_a_good_one(
    lab: Lab, ctx: CheckContext
) -> None:
    lab.store.delete("deployments", NAMESPACE, "api")

    found = await WorkloadState(lab.admin).look(PARAMS, ctx)

    assert (found.known, found.holds) == (True, False)
    told = {"exists": False, "replicas": 0, "ready": 0, "rolling": False, "paused": False}
    assert told.items() <= found.evidence.items()
