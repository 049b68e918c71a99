"""kubernetes.pvc: may this claim grow?"""

import pytest

from healer.check.contract import CheckContext
from healer.check.kubernetes.claim import Pvc, PvcParams
from tests.fakes.lab import NAMESPACE, Lab

ASKED = PvcParams(claim="cache", to="300Gi")


async def test_its_own_rights_are_enough_to_see_that_a_claim_may_grow(
    lab: Lab, ctx: CheckContext
) -> None:
    lab.create_claim("cache")
    check = Pvc(lab.healer)
    lab.grant(check.permissions(ASKED, namespace=NAMESPACE))

    found = await check.look(ASKED, ctx)

    assert found.holds
    assert found.evidence["can_grow"] is True
    assert found.evidence["capacity_bytes"] == 200 * 2**30
    assert found.summary == "claim cache has 200Gi, and may grow to 300Gi"


async def test_a_class_that_allows_no_expansion_is_named(lab: Lab, ctx: CheckContext) -> None:
    lab.create_claim("cache", grows=False)

    found = await Pvc(lab.admin).look(ASKED, ctx)

    assert not found.holds
    assert found.evidence["can_grow"] is False
    assert "StorageClass (class-of-cache) allows no expansion" in found.summary


async def test_a_claim_without_a_class_cannot_grow(lab: Lab, ctx: CheckContext) -> None:
    lab.create_claim("cache")
    lab.change("persistentvolumeclaims", "cache", lambda one: one["spec"].pop("storageClassName"))

    found = await Pvc(lab.admin).look(ASKED, ctx)

    assert not found.holds
    assert "StorageClass (none)" in found.summary


@pytest.mark.parametrize("storage", ["300Gi", "400Gi"])
async def test_a_claim_that_has_grown_is_not_to_grow_again(
    lab: Lab, ctx: CheckContext, storage: str
) -> None:
    lab.create_claim("cache", storage=storage)

    found = await Pvc(lab.admin).look(ASKED, ctx)

    assert not found.holds
    assert "is not to grow beyond 300Gi" in found.summary
