"""inference.experts: one router that misses an expert is enough, and silence is no health."""

from typing import Any

import pytest

from healer.check.inference.expert import Experts, ExpertsParams
from healer.errors import TemporaryError
from tests.check.inference.conftest import Ward
from tests.fakes.lab import NAMESPACE
from tests.fakes.stub import Handler, says

PARAMS = ExpertsParams()
READY = {"state": "ready", "message": ""}


def told(code: str = "healthy", *, general: str = "healthy", classifier: Any = None) -> Handler:
    experts = [
        {"name": "general", "status": general, "message": "", "fallback": True},
        {"name": "code", "status": code, "message": f"code is {code}", "fallback": False},
    ]
    return says({"experts": experts, "classifier": classifier or READY})


async def test_its_own_rights_are_enough_to_hear_that_all_is_well(ward: Ward) -> None:
    check = Experts(ward.lab.healer)
    ward.lab.grant(check.permissions(PARAMS, namespace=NAMESPACE))
    ward.stub.on("GET", "/experts", told())

    found = await check.look(PARAMS, ward.ctx)

    assert found.holds
    told_of: dict[str, Any] = {
        "experts": 2,
        "away": [],
        "fallback_away": False,
        "classifier": "ready",
        "pods": 3,
    }
    assert told_of.items() <= found.evidence.items()
    assert found.summary == "all experts are reached; the classifier of 3 routers is ready"


async def test_an_expert_that_one_router_does_not_reach_is_away(ward: Ward) -> None:
    ward.stub.on("GET", "/experts", told(), told("unhealthy"), told())

    found = await Experts(ward.lab.admin).look(PARAMS, ward.ctx)

    assert not found.holds
    assert (found.evidence["away"], found.evidence["complaint"]) == (["code"], "code is unhealthy")
    assert found.evidence["fallback_away"] is False


async def test_that_the_fallback_is_away_is_told(ward: Ward) -> None:
    ward.stub.on("GET", "/experts", told(general="unhealthy"))

    found = await Experts(ward.lab.admin).look(PARAMS, ward.ctx)

    assert (found.evidence["away"], found.evidence["fallback_away"]) == (["general"], True)


@pytest.mark.parametrize("state", ["failed", "splendid"])
async def test_the_worst_classifier_is_told_with_its_complaint(ward: Ward, state: str) -> None:
    sick = {"state": state, "message": "checksum mismatch"}
    ward.stub.on("GET", "/experts", told(), told(classifier=sick), told())

    found = await Experts(ward.lab.admin).look(PARAMS, ward.ctx)

    assert not found.holds
    assert found.evidence["classifier"] == state
    assert found.evidence["failed_classifiers"] == (1 if state == "failed" else 0)
    assert found.evidence["classifier_complaint"] == "checksum mismatch"


@pytest.mark.parametrize(
    ("told_of", "wanted"),
    [
        ({"state": "failed", "next_try_seconds": 17.5}, 17.5),
        ({"state": "loading", "next_try_seconds": 0}, 0.0),
        ({"state": "failed", "next_try_seconds": None}, 1e9),
        ({"state": "failed"}, 1e9),  # a router of before, which is as good as never
        ({"state": "ready", "next_try_seconds": 99}, 0.0),
    ],
)
async def test_the_last_router_that_tries_again_is_told(
    ward: Ward, told_of: dict[str, Any], wanted: float
) -> None:
    soon = {"state": "failed", "message": "", "next_try_seconds": 0.0}
    ward.stub.on("GET", "/experts", told(), told(classifier=told_of), told(classifier=soon))

    found = await Experts(ward.lab.admin).look(PARAMS, ward.ctx)

    assert found.evidence["next_try_seconds"] == wanted


async def test_a_router_that_is_silent_is_counted_and_not_well(ward: Ward) -> None:
    ward.stub.on("GET", "/experts", told())
    ward.lose(ward.names[0])

    found = await Experts(ward.lab.admin).look(PARAMS, ward.ctx)

    assert not found.holds
    assert (found.evidence["pods"], found.evidence["silent"]) == (2, 1)


@pytest.mark.parametrize("answer", [{}, {"experts": []}, {"experts": "none"}])
async def test_a_server_that_is_no_router_leaves_it_unknown(ward: Ward, answer: Any) -> None:
    ward.stub.on("GET", "/experts", says(answer))

    with pytest.raises(TemporaryError, match="no experts"):
        await Experts(ward.lab.admin).look(PARAMS, ward.ctx)
