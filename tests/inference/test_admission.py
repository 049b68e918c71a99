"""Admission: order, limits that change, cancellation, and when to come back."""

import asyncio

import pytest

from inference.admission import Admission, Claim, DeadlineError, DrainingError, RejectedError


class Gate:
    """Requests that hold their place until told to leave."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self.inside: list[str] = []
        self.exits: dict[str, asyncio.Event] = {}

    async def visit(self, name: str, claim: Claim | None = None) -> None:
        self.exits[name] = asyncio.Event()
        async with self.admission.admitted(claim or Claim()):
            self.inside.append(name)
            await self.exits[name].wait()


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_first_come_first_served_and_the_rest_are_refused() -> None:
    gate = Gate(Admission(limit=lambda: 1, max_queued=2))
    async with asyncio.TaskGroup() as group:
        for name in "abc":
            group.create_task(gate.visit(name))
        await _settle()
        assert (gate.admission.active, gate.admission.queued) == (1, 2)
        with pytest.raises(RejectedError) as refused:
            await gate.visit("d")
        assert refused.value.retry_after >= 1
        assert gate.admission.rejected == 1
        for name in "abc":
            gate.exits[name].set()
            await _settle()
    assert gate.inside == ["a", "b", "c"]
    assert (gate.admission.active, gate.admission.queued) == (0, 0)


async def test_a_waiting_request_that_leaves_gives_up_its_turn() -> None:
    gate = Gate(Admission(limit=lambda: 1, max_queued=2))
    async with asyncio.TaskGroup() as group:
        group.create_task(gate.visit("a"))
        await _settle()
        gone = group.create_task(gate.visit("b"))
        group.create_task(gate.visit("c"))
        await _settle()
        gone.cancel()
        await _settle()
        assert gate.admission.queued == 1
        gate.exits["a"].set()
        await _settle()
        assert gate.inside == ["a", "c"]
        gate.exits["c"].set()


async def test_a_place_given_to_a_request_that_leaves_at_that_moment_is_passed_on() -> None:
    gate = Gate(Admission(limit=lambda: 1, max_queued=2))
    async with asyncio.TaskGroup() as group:
        group.create_task(gate.visit("a"))
        await _settle()
        gone = group.create_task(gate.visit("b"))
        group.create_task(gate.visit("c"))
        await _settle()
        gate.exits["a"].set()
        await asyncio.sleep(0)
        gone.cancel()
        await _settle()
        assert gate.inside == ["a", "c"]
        gate.exits["c"].set()
    assert gate.admission.active == 0


async def test_a_raised_limit_lets_the_waiting_in_and_a_lowered_one_lets_the_surplus_finish() -> (
    None
):
    limit = 1
    gate = Gate(Admission(limit=lambda: limit, max_queued=5))
    async with asyncio.TaskGroup() as group:
        for name in "abc":
            group.create_task(gate.visit(name))
        await _settle()
        limit = 2
        gate.admission.admit_waiting()
        await _settle()
        assert gate.inside == ["a", "b"]
        limit = 1
        gate.exits["a"].set()
        await _settle()
        assert gate.admission.active == 1
        assert gate.inside == ["a", "b"]
        gate.exits["b"].set()
        await _settle()
        assert gate.inside == ["a", "b", "c"]
        gate.exits["c"].set()


async def test_when_to_come_back_follows_how_fast_requests_leave() -> None:
    now = 0.0
    admission = Admission(limit=lambda: 1, max_queued=0, clock=lambda: now)
    assert admission.retry_after() == 5
    for _ in range(5):
        async with admission.admitted():
            now += 4.0
    assert admission.retry_after() == pytest.approx(4, abs=1)
    now += 1000
    assert admission.retry_after() == 5


async def test_draining_refuses_new_requests_and_waits_for_the_old() -> None:
    gate = Gate(Admission(limit=lambda: 1, max_queued=1))
    async with asyncio.TaskGroup() as group:
        group.create_task(gate.visit("a"))
        group.create_task(gate.visit("b"))
        await _settle()
        gate.admission.draining = True
        with pytest.raises(DrainingError):
            await gate.visit("c")
        assert not await gate.admission.drained(0.01)
        gate.exits["a"].set()
        await _settle()
        gate.exits["b"].set()
        assert await gate.admission.drained(1)
    assert gate.inside == ["a", "b"]


async def _queue(
    gate: Gate, group: asyncio.TaskGroup, arrivals: list[tuple[str, int]]
) -> dict[str, asyncio.Task[None]]:
    tasks: dict[str, asyncio.Task[None]] = {}
    for name, priority in arrivals:
        tasks[name] = group.create_task(gate.visit(name, Claim(priority=priority)))
        await _settle()
    return tasks


async def _leave_one_by_one(gate: Gate) -> None:
    while len(gate.inside) < len(gate.exits):
        gate.exits[gate.inside[-1]].set()
        await _settle()
    gate.exits[gate.inside[-1]].set()


async def test_who_has_priority_is_served_first_and_equals_by_arrival() -> None:
    gate = Gate(Admission(limit=lambda: 1, max_queued=9))
    async with asyncio.TaskGroup() as group:
        await _queue(gate, group, [("a", 0), ("low", 10), ("b", 0), ("c", 0), ("high", -10)])
        await _leave_one_by_one(gate)
    assert gate.inside == ["a", "high", "b", "c", "low"]


async def test_who_does_not_fit_beside_those_that_run_waits_and_is_not_overtaken() -> None:
    admission = Admission(
        limit=lambda: 9, fits=lambda requests, tokens: requests * tokens <= 100, max_queued=9
    )
    gate = Gate(admission)
    async with asyncio.TaskGroup() as group:
        for name, tokens in (("a", 20), ("b", 20), ("long", 60), ("short", 1), ("c", 30)):
            group.create_task(gate.visit(name, Claim(tokens=tokens)))
            await _settle()
        assert (gate.inside, admission.queued) == (["a", "b"], 3)
        gate.exits["a"].set()
        await _settle()
        assert (gate.inside, admission.queued) == (["a", "b"], 3)
        gate.exits["b"].set()
        await _settle()
        assert gate.inside == ["a", "b", "long"]
        gate.exits["long"].set()
        await _settle()
        assert gate.inside == ["a", "b", "long", "short", "c"]
        for name in ("short", "c"):
            gate.exits[name].set()
    assert admission.active == 0


async def test_who_goes_before_one_that_does_not_fit_is_let_in_where_it_fits_itself() -> None:
    admission = Admission(
        limit=lambda: 9, fits=lambda requests, tokens: requests * tokens <= 100, max_queued=9
    )
    gate = Gate(admission)
    async with asyncio.TaskGroup() as group:
        group.create_task(gate.visit("a", Claim(tokens=20)))
        await _settle()
        group.create_task(gate.visit("long", Claim(tokens=90)))
        await _settle()
        group.create_task(gate.visit("high", Claim(tokens=10, priority=-10)))
        await _settle()
        assert (gate.inside, admission.queued) == (["a", "high"], 1)
        for name in ("a", "high"):
            gate.exits[name].set()
        await _settle()
        gate.exits["long"].set()


async def test_who_is_alone_is_let_in_whatever_the_room() -> None:
    gate = Gate(Admission(limit=lambda: 9, fits=lambda requests, tokens: False, max_queued=9))
    async with asyncio.TaskGroup() as group:
        group.create_task(gate.visit("a", Claim(tokens=5)))
        group.create_task(gate.visit("b", Claim(tokens=5)))
        await _settle()
        assert gate.inside == ["a"]
        gate.exits["a"].set()
        await _settle()
        assert gate.inside == ["a", "b"]
        gate.exits["b"].set()


async def test_who_has_waited_long_enough_goes_before_newer_priority() -> None:
    now = 0.0
    gate = Gate(Admission(limit=lambda: 1, max_queued=9, age_seconds=2.0, clock=lambda: now))
    async with asyncio.TaskGroup() as group:
        await _queue(gate, group, [("a", 0), ("low", 10)])
        now = 19.0  # ten points are worth twenty seconds
        await _queue(gate, group, [("b", 0)])
        now = 21.0
        await _queue(gate, group, [("c", 0)])
        await _leave_one_by_one(gate)
    assert gate.inside == ["a", "b", "low", "c"]


async def test_a_full_queue_turns_away_the_least_of_those_who_wait_for_a_higher_one() -> None:
    gate = Gate(Admission(limit=lambda: 1, max_queued=2, overload_status=503))
    refused: list[RejectedError] = []

    async def visit(name: str, priority: int) -> None:
        try:
            await gate.visit(name, Claim(priority=priority))
        except RejectedError as error:
            refused.append(error)
            del gate.exits[name]

    async with asyncio.TaskGroup() as group:
        for name, priority in (("a", 0), ("low1", 10), ("low2", 10), ("high", -10)):
            group.create_task(visit(name, priority))
            await _settle()
        assert set(gate.exits) == {"a", "low1", "high"}
        assert [error.status for error in refused] == [503]
        with pytest.raises(RejectedError):
            await gate.visit("low3", Claim(priority=10))
        del gate.exits["low3"]
        assert gate.admission.rejected == 2
        await _leave_one_by_one(gate)
    assert gate.inside == ["a", "high", "low1"]
    assert (gate.admission.active, gate.admission.queued) == (0, 0)


async def test_who_runs_out_of_time_while_waiting_leaves_the_queue() -> None:
    gate = Gate(Admission(limit=lambda: 1, max_queued=2))
    async with asyncio.TaskGroup() as group:
        group.create_task(gate.visit("a"))
        await _settle()
        soon = asyncio.get_running_loop().time() + 0.01
        with pytest.raises(DeadlineError):
            await gate.visit("b", Claim(deadline=soon))
        assert (gate.admission.active, gate.admission.queued) == (1, 0)
        gate.exits["a"].set()
    assert gate.admission.active == 0
