"""kubernetes.revision over the lab's API server: what changed, and is there a way back?"""

from datetime import timedelta
from typing import Any

from healer.check.contract import CheckContext
from healer.check.kubernetes.revision import Revision, RevisionParams
from healer.kit.clock import SystemClock
from healer.lab.contract import Object
from healer.model.outcome import Finding
from tests.fakes.lab import NAMESPACE, Lab

PARAMS = RevisionParams()


async def look(lab: Lab, ctx: CheckContext, params: RevisionParams = PARAMS) -> Finding:
    return await Revision(lab.admin, clock=SystemClock()).look(params, ctx)


async def release(lab: Lab, **change: Any) -> None:
    def write(deployment: Object) -> None:
        deployment["spec"]["template"]["spec"]["containers"][0].update(change)

    lab.change("deployments", "api", write)
    await lab.settled()


async def test_the_first_revision_has_none_before_it(lab: Lab, ctx: CheckContext) -> None:
    found = await look(lab, ctx)

    assert not found.holds
    told = {"revision": 1, "previous": 0, "young": True, "returned": False}
    assert told.items() <= found.evidence.items()
    assert found.evidence["changed"] == []


async def test_its_own_rights_are_enough_to_tell_what_changed_without_any_value(
    lab: Lab, ctx: CheckContext
) -> None:
    await release(lab, args=["--x"], env=[{"name": "TOKEN", "value": "s3cret"}])
    check = Revision(lab.healer, clock=SystemClock())
    lab.grant(check.permissions(PARAMS, namespace=NAMESPACE))

    found = await check.look(PARAMS, ctx)

    assert found.holds
    told = {"revision": 2, "previous": 1, "changed": ["args", "env TOKEN"]}
    assert told.items() <= found.evidence.items()
    assert "s3cret" not in repr(found)


async def test_a_revision_is_young_up_to_the_given_age(lab: Lab, ctx: CheckContext) -> None:
    found = await look(lab, ctx, RevisionParams(young=timedelta(0)))

    assert found.evidence["young"] is False


async def test_a_revision_that_a_rollback_returned_to_says_so(lab: Lab, ctx: CheckContext) -> None:
    await release(lab, image="server:2")
    await release(lab, image="server:1")

    found = await look(lab, ctx)

    told = {"revision": 3, "previous": 2, "returned": True}
    assert told.items() <= found.evidence.items()


async def test_a_deployment_that_is_gone_has_no_revision(lab: Lab, ctx: CheckContext) -> None:
    lab.store.delete("deployments", NAMESPACE, "api")

    found = await look(lab, ctx)

    assert found.known
    told = {"revision": 0, "previous": 0, "young": False}
    assert told.items() <= found.evidence.items()
