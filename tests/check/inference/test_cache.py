"""inference.cache through the pod proxy: volumes are counted, not pods."""

from dataclasses import replace
from datetime import timedelta

import pytest

from healer.check.inference.cache import Cache, CacheParams
from healer.errors import PermanentError, RejectedError, TemporaryError
from tests.check.inference.conftest import Ward
from tests.fakes.declared import hold_to_its_word
from tests.fakes.lab import NAMESPACE
from tests.fakes.stub import says

PARAMS = CacheParams()
USED = {"files": 10, "bytes": 1000, "older_files": 4, "older_bytes": 400, "free_bytes": 50}


async def test_pods_that_share_a_claim_have_one_cache_and_its_own_rights_are_enough(
    ward: Ward,
) -> None:
    for name in ward.names:
        ward.mount(name, "shared")
    ward.stub.on("GET", "/admin/cache", says(USED))
    check = Cache(ward.lab.healer)
    ward.lab.grant(check.permissions(PARAMS, namespace=NAMESPACE))

    found = await check.look(PARAMS, ward.ctx)
    hold_to_its_word(check, found)

    assert found.holds
    assert found.evidence == {
        "files": 10, "total_bytes": 1000, "old_files": 4, "old_bytes": 400, "free_bytes": 50,
        "volumes": 1,
    }  # fmt: skip
    (asked,) = ward.stub.asked
    assert asked.query == {"older_than_seconds": f"{timedelta(days=7).total_seconds():g}"}
    assert asked.headers["X-Admin-Key"] == "k3y"


async def test_every_volume_of_its_own_is_counted_and_the_fullest_tells_what_is_free(
    ward: Ward,
) -> None:
    ward.stub.on("GET", "/admin/cache", *(says({**USED, "free_bytes": n}) for n in (70, 30, 90)))

    found = await Cache(ward.lab.admin).look(PARAMS, ward.ctx)

    told = {"total_bytes": 3000, "old_bytes": 1200, "free_bytes": 30, "volumes": 3}
    assert told.items() <= found.evidence.items()


async def test_free_space_that_one_server_has_not_measured_is_not_known(ward: Ward) -> None:
    unmeasured = says({**USED, "free_bytes": None})
    ward.stub.on("GET", "/admin/cache", says(USED), unmeasured)

    found = await Cache(ward.lab.admin).look(PARAMS, ward.ctx)

    assert found.evidence["free_bytes"] is None


async def test_nothing_old_is_an_answer(ward: Ward) -> None:
    ward.stub.on("GET", "/admin/cache", says({**USED, "older_files": 0, "older_bytes": 0}))

    found = await Cache(ward.lab.admin).look(PARAMS, ward.ctx)

    assert not found.holds
    assert found.evidence["old_bytes"] == 0


async def test_a_volume_that_nobody_tells_of_leaves_the_sum_unknown(ward: Ward) -> None:
    ward.stub.on("GET", "/admin/cache", says(USED))
    ward.lose(ward.names[1])

    with pytest.raises(TemporaryError, match="not every inference server tells"):
        await Cache(ward.lab.admin).look(PARAMS, ward.ctx)


async def test_without_ready_pods_nobody_can_be_asked(ward: Ward) -> None:
    for name in ward.names:
        ward.unready(name)

    with pytest.raises(TemporaryError, match="no inference server tells"):
        await Cache(ward.lab.admin).look(PARAMS, ward.ctx)


async def test_a_refused_key_is_not_the_silence_of_a_server(ward: Ward) -> None:
    ward.stub.on("GET", "/admin/cache", says({"error": {"message": "wrong key"}}, status=401))

    with pytest.raises(RejectedError, match="wrong key"):
        await Cache(ward.lab.admin).look(PARAMS, ward.ctx)


async def test_without_the_right_to_the_proxy_it_says_so(ward: Ward) -> None:
    check = Cache(ward.lab.healer)
    rights = check.permissions(PARAMS, namespace=NAMESPACE)
    ward.lab.grant(one for one in rights if one.resource == "pods")

    with pytest.raises(RejectedError, match="pods/proxy"):
        await check.look(PARAMS, ward.ctx)


async def test_a_service_with_an_empty_selector_is_refused(ward: Ward) -> None:
    careless = replace(ward.ctx, service=replace(ward.ctx.service, selector=" "))

    with pytest.raises(PermanentError, match="empty selector"):
        await Cache(ward.lab.admin).look(PARAMS, careless)
    assert ward.stub.asked == []
