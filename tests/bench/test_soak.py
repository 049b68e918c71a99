"""The soak in short: the very code of the long one, against a real process."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.inference.crowd import Kind, Outcome, request
from bench.inference.soak import BRIEF, run
from bench.inference.verdict import Effort, Found, rows_of
from bench.inference.watch import Look, Watch


def outcome(number: int, answer: str, *, kind: Kind, priority: str = "normal") -> Outcome:
    made = replace(request(number, kind=kind), priority=priority)
    return Outcome(request=made, answer=answer, first=0.1, whole=0.2)


def look(live: str = "", memory: int = 10**8) -> Look:
    return Look(at=0.0, live=live, seconds=0.01, memory=memory, active=16, queued=3)


def found(**more: object) -> Found:
    outcomes = [
        *(outcome(n, "200", kind=Kind.STREAM, priority="high") for n in range(5)),
        *(outcome(n, "200", kind=Kind.STREAM) for n in range(5)),
        *(outcome(n, "429", kind=Kind.STREAM) for n in range(3)),
        *(outcome(n, "429", kind=Kind.STREAM, priority="low") for n in range(3)),
        outcome(1, "400", kind=Kind.TOO_LONG),
        outcome(1, "gone", kind=Kind.VANISHES),
    ]
    usual: dict[str, object] = {
        "effort": Effort(calibrate=1, storm=1),
        "capacity": 5.0,
        "most": 5.0,
        "rate": 15.0,
        "outcomes": tuple(outcomes),
        "watch": Watch(looks=[look()] * 10),
        "settled": 8.0,
        "left": (0, 0, 0),
        "served": 0.2,
        "places": (16, 16),
    }
    return Found(**{**usual, **more})  # type: ignore[arg-type]  # as above


def missed(seen: Found) -> list[str]:
    return [row.name.strip() for row in rows_of(seen) if row.met is False]


def test_only_the_order_of_priorities_is_missed_when_all_wait_alike() -> None:
    assert missed(found()) == ["first token, high / normal / low: p50 ms"]


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"rate": 7.0}, "asked for, 1 s long: requests/s"),
        ({"watch": Watch(looks=[look()] * 9 + [look("503")])}, "liveness probes that failed"),
        ({"watch": Watch(looks=[])}, "liveness probes that failed"),
        (
            {"watch": Watch(looks=[look()] * 8 + [look(memory=2 * 10**8)] * 2)},
            "memory, second fifth and last fifth: MB",
        ),
        ({"left": (0, 0, 1)}, "left active, queued, in the engine"),
        ({"settled": 9.0}, "empty after the last client: s"),
        ({"served": 9.0}, "next request served in: s"),
        ({"places": (15, 16)}, "places that can still be taken at once"),
    ],
    ids=str,
)
def test_each_fault_is_seen(more: dict[str, object], name: str) -> None:
    assert name in missed(found(**more))


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        (Kind.STREAM, "no answer"),
        (Kind.STREAM, "unfinished"),
        (Kind.WHOLE, "429 without Retry-After"),
        (Kind.WHOLE, "ServerDisconnectedError"),
        (Kind.TOO_LONG, "200"),
        (Kind.TOO_LARGE, "500"),
    ],
)
def test_an_answer_that_may_not_be_is_a_fault(kind: Kind, answer: str) -> None:
    wrong = (*found().outcomes, outcome(7, answer, kind=kind))
    seen = found(outcomes=wrong)
    assert "without an answer, or with a wrong one" in missed(seen)
    assert any(f"1 {kind}: {answer}" in row.found for row in rows_of(seen))


@pytest.mark.real
@pytest.mark.timeout(240)
async def test_three_times_its_capacity_does_the_server_no_harm(tmp_path: Path) -> None:
    said: list[str] = []
    rows = await run(said.append, effort=BRIEF, folder=tmp_path)
    assert [row.name for row in rows if row.met is False] == [], said[0]
    assert sum(row.met is True for row in rows) >= 10
