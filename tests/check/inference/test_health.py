"""inference.health, .components and .breaker: the worst is told, and silence is not health."""

import pytest

from healer.check.inference.breaker import Breaker, BreakerParams
from healer.check.inference.health import Components, ComponentsParams, Health, HealthParams
from healer.errors import PermanentError, TemporaryError
from tests.check.inference.conftest import Ward
from tests.fakes.declared import hold_to_its_word
from tests.fakes.lab import NAMESPACE
from tests.fakes.stub import Handler, says


def well(mode: str = "normal") -> Handler:
    return says({"status": "healthy", "mode": mode})


async def test_servers_that_say_so_are_healthy(ward: Ward) -> None:
    check = Health(ward.lab.healer)
    ward.lab.grant(check.permissions(HealthParams(), namespace=NAMESPACE))
    ward.stub.on("GET", "/health", well())

    found = await check.look(HealthParams(), ward.ctx)
    hold_to_its_word(check, found)

    assert found.holds
    assert {
        "pods": 3,
        "healthy": 3,
        "silent": 0,
        "mode": "normal",
    }.items() <= found.evidence.items()


async def test_a_503_is_an_answer_and_not_a_healthy_one(ward: Ward) -> None:
    ill = says({"status": "critical", "mode": "emergency"}, status=503)
    ward.stub.on("GET", "/health", ill, well())

    found = await Health(ward.lab.admin).look(HealthParams(), ward.ctx)

    told = {"healthy": 2, "unhealthy": 1, "worst": "critical", "mode": "emergency"}
    assert not found.holds
    assert told.items() <= found.evidence.items()


async def test_a_pod_out_of_traffic_is_asked_too_and_one_that_is_silent_is_not_healthy(
    ward: Ward,
) -> None:
    ward.stub.on("GET", "/health", well())
    ward.unready(ward.names[0])
    ward.lose(ward.names[1])

    found = await Health(ward.lab.admin).look(HealthParams(), ward.ctx)

    assert not found.holds
    assert {"pods": 3, "healthy": 2, "silent": 1}.items() <= found.evidence.items()


def parts(**statuses: str) -> Handler:
    components = {name: {"status": status} for name, status in statuses.items()}
    return says({"status": "?", "degradation": {"mode": "normal"}, "components": components})


async def test_each_component_has_the_worst_status_of_any_server(ward: Ward) -> None:
    check, params = Components(ward.lab.healer), ComponentsParams()
    ward.lab.grant(check.permissions(params, namespace=NAMESPACE))
    ward.stub.on(
        "GET",
        "/health/components",
        parts(engine="healthy", ssd="critical"),
        parts(engine="degraded", ssd="healthy"),
    )

    found = await check.look(params, ward.ctx)
    hold_to_its_word(check, found)

    told = {"worst": "critical", "worst_value": 3, "engine": "degraded", "ssd": "critical"}
    assert told.items() <= found.evidence.items()
    assert found.evidence["sick"] == ["engine", "ssd"]
    assert not found.holds


async def test_what_is_ill_is_told_with_the_words_of_the_server_that_is_worst_off(
    ward: Ward,
) -> None:
    ill = {
        "admission": {"status": "degraded", "message": "queue is full"},
        "engine": {"status": "critical", "message": "no step was made for too long"},
        "memory": {"status": "degraded"},
    }
    ward.stub.on("GET", "/health/components", says({"components": ill}), parts(engine="degraded"))

    found = await Components(ward.lab.admin).look(ComponentsParams(), ward.ctx)

    assert found.summary == (
        "engine is critical (no step was made for too long), admission is degraded (queue is full),"
        " memory is degraded"
    )


async def test_a_status_that_nobody_knows_is_never_taken_for_health(ward: Ward) -> None:
    ward.stub.on("GET", "/health/components", parts(engine="splendid"))

    found = await Components(ward.lab.admin).look(ComponentsParams(), ward.ctx)

    assert not found.holds
    assert found.evidence["worst_value"] == 4


async def test_components_of_servers_that_are_all_away_are_not_known(ward: Ward) -> None:
    for name in ward.names:
        ward.lose(name)

    with pytest.raises(TemporaryError, match="tells its components"):
        await Components(ward.lab.admin).look(ComponentsParams(), ward.ctx)


def circuit(state: str, value: int, seconds: float = 0.0) -> Handler:
    told = {"state": state, "value": value, "open_seconds": seconds, "last_error": "EIO"}
    return says({"ssd": told})


async def test_the_breaker_that_is_open_longest_is_told(ward: Ward) -> None:
    check, params = Breaker(ward.lab.healer), BreakerParams(name="ssd")
    ward.lab.grant(check.permissions(params, namespace=NAMESPACE))
    ward.stub.on(
        "GET",
        "/admin/circuit-breaker/status",
        circuit("open", 1, 950.0),
        circuit("half-open", 2, 2000.0),
        circuit("open", 1, 30.0),
    )

    found = await check.look(params, ward.ctx)
    hold_to_its_word(check, found)

    told = {"state": "open", "value": 1, "open_seconds": 950.0, "open": 2, "name": "ssd"}
    assert not found.holds
    assert told.items() <= found.evidence.items()


@pytest.mark.parametrize(
    ("statuses", "works", "dependency"),
    [
        (("healthy", "degraded", "healthy"), True, "degraded"),
        (("healthy", "critical", "healthy"), False, "critical"),
        (("healthy", "splendid", "healthy"), False, "splendid"),
    ],
)
async def test_what_an_open_breaker_protects_works_only_if_every_server_says_so(
    ward: Ward, statuses: tuple[str, ...], dependency: str, *, works: bool
) -> None:
    ward.stub.on("GET", "/admin/circuit-breaker/status", circuit("open", 1, 950.0))
    ward.stub.on("GET", "/health/components", *(parts(ssd=one) for one in statuses))

    found = await Breaker(ward.lab.admin).look(BreakerParams(), ward.ctx)

    assert (found.evidence["works"], found.evidence["dependency"]) == (works, dependency)


async def test_a_server_that_tells_nothing_of_what_is_behind_has_nothing_that_works(
    ward: Ward,
) -> None:
    ward.stub.on("GET", "/admin/circuit-breaker/status", circuit("open", 1, 9.0))

    found = await Breaker(ward.lab.admin).look(BreakerParams(), ward.ctx)

    assert (found.evidence["works"], found.evidence["dependency"]) == (False, "unknown")


async def test_a_closed_breaker_holds_and_one_that_does_not_exist_is_an_error(ward: Ward) -> None:
    ward.stub.on("GET", "/admin/circuit-breaker/status", circuit("closed", 0))
    check = Breaker(ward.lab.admin)

    assert (await check.look(BreakerParams(), ward.ctx)).evidence["state"] == "closed"
    with pytest.raises(PermanentError, match="no circuit breaker named gpu"):
        await check.look(BreakerParams(name="gpu"), ward.ctx)
