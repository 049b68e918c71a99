"""Two answers of a server make circuits with the health of what they protect."""

import pytest

from healer.client.circuit import circuits_of

OPEN = {"state": "open", "value": 1, "protects": "/mnt/ssd", "open_seconds": 90.5}


def parts(**statuses: str) -> dict[str, object]:
    return {"components": {name: {"status": status} for name, status in statuses.items()}}


@pytest.mark.parametrize(
    ("status", "works"),
    [
        ("healthy", True),
        ("degraded", True),
        ("unhealthy", False),
        ("critical", False),
        ("?", False),
    ],
)
def test_what_is_no_worse_than_degraded_works(status: str, *, works: bool) -> None:
    (circuit,) = circuits_of({"ssd": OPEN}, parts(ssd=status, engine="healthy"))
    assert (circuit.dependency, circuit.works) == (status, works)
    assert (circuit.protects, circuit.open_seconds, circuit.closed) == ("/mnt/ssd", 90.5, False)


@pytest.mark.parametrize("told", [{}, {"components": None}, {"components": {"ssd": "healthy"}}])
def test_what_nobody_tells_does_not_work(told: dict[str, object]) -> None:
    (circuit,) = circuits_of({"ssd": OPEN}, told)
    assert (circuit.dependency, circuit.works) == ("unknown", False)


def test_only_closed_is_closed() -> None:
    told = {"a": {"state": "closed"}, "b": {"state": "half-open"}, "c": {}, "d": "closed"}
    found = circuits_of(told, {})
    assert {one.name: one.closed for one in found} == {"a": True, "b": False, "c": False}
