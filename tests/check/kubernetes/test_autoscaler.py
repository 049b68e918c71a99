"""kubernetes.autoscaler over the lab's API server, with no more rights than it asks for."""

import pytest

from healer.check.contract import CheckContext
from healer.check.kubernetes.autoscaler import AutoscalerParams, AutoscalerState
from healer.errors import RejectedError
from tests.fakes.lab import NAMESPACE, Lab

PARAMS = AutoscalerParams()


def rule(lab: Lab, *, most: int) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"}
    spec = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": most}
    lab.create("horizontalpodautoscalers", "ruler", spec=spec)


async def test_its_own_rights_are_enough_to_tell_that_more_can_be_had(
    lab: Lab, ctx: CheckContext
) -> None:
    rule(lab, most=8)
    check = AutoscalerState(lab.healer)
    lab.grant(check.permissions(PARAMS, namespace=NAMESPACE))

    found = await check.look(PARAMS, ctx)

    assert found.holds
    told = {"exists": True, "name": "ruler", "min": 2, "max": 8, "at_max": False}
    assert told.items() <= found.evidence.items()
    assert found.summary.startswith("autoscaler ruler keeps between 2 and 8 replicas; 3 are wanted")


async def test_one_at_its_maximum_gives_no_more(lab: Lab, ctx: CheckContext) -> None:
    rule(lab, most=3)

    found = await AutoscalerState(lab.admin).look(PARAMS, ctx)

    assert not found.holds
    assert found.evidence["at_max"] is True
    assert "3 are wanted, which is its maximum" in found.summary


async def test_what_it_says_of_its_own_blindness_is_told(lab: Lab, ctx: CheckContext) -> None:
    rule(lab, most=8)  # and nobody measures anything in this lab
    await lab.until(lambda: lab.get("horizontalpodautoscalers", "ruler").get("status"))

    found = await AutoscalerState(lab.admin).look(PARAMS, ctx)

    assert found.holds  # by its minimum it can still be told
    assert (found.evidence["able"], found.evidence["sees"]) == (True, False)
    assert found.evidence["trouble"] == "FailedGetMetric: a metric is not known"
    assert found.summary.endswith("3 are wanted; FailedGetMetric: a metric is not known")


async def test_without_one_nothing_is_at_its_maximum_and_nothing_holds(
    lab: Lab, ctx: CheckContext
) -> None:
    found = await AutoscalerState(lab.admin).look(PARAMS, ctx)

    assert not found.holds
    assert (found.evidence["exists"], found.evidence["at_max"]) == (False, False)


async def test_without_rights_it_says_that_it_may_not_look(lab: Lab, ctx: CheckContext) -> None:
    with pytest.raises(RejectedError, match="forbidden"):
        await AutoscalerState(lab.healer).look(PARAMS, ctx)
