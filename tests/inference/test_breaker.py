"""The breaker's states, with a clock that is moved by hand."""

from dataclasses import dataclass

from inference.breaker import Breaker, Circuit, Kind


@dataclass
class HandClock:
    """Time that passes when told."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def _breaker(clock: HandClock) -> Breaker:
    return Breaker(failures=3, retry_seconds=30, slow_seconds=2, clock=clock, jitter=lambda: 1.0)


def _opened(clock: HandClock) -> Breaker:
    breaker = _breaker(clock)
    for _ in range(3):
        breaker.fail("No space left on device")
    return breaker


def test_it_opens_after_consecutive_failures_only() -> None:
    breaker = _breaker(HandClock())
    breaker.fail("a")
    breaker.fail("b")
    breaker.succeed(0.1)
    breaker.fail("c")
    breaker.fail("d")
    assert breaker.status().state is Circuit.CLOSED
    breaker.fail("e")
    assert breaker.status().state is Circuit.OPEN
    assert breaker.status().last_error == "e"


def test_a_slow_call_counts_as_a_failure() -> None:
    breaker = _breaker(HandClock())
    for _ in range(3):
        breaker.succeed(2.5)
    assert breaker.status().state is Circuit.OPEN


def test_a_good_read_does_not_make_up_for_failing_writes_and_a_slow_one_is_one_more() -> None:
    breaker = _breaker(HandClock())
    for _ in range(2):
        breaker.fail("No space left on device")
        breaker.succeed(0.1, Kind.READ)
    assert breaker.status().state is Circuit.CLOSED
    breaker.succeed(2.5, Kind.READ)
    assert breaker.status().state is Circuit.OPEN


def test_writes_that_come_back_do_not_make_up_for_reads_that_fail() -> None:
    breaker = _breaker(HandClock())
    breaker.fail("corrupt", Kind.READ)
    breaker.succeed(0.1, Kind.READ)
    for _ in range(3):
        assert breaker.status().state is Circuit.CLOSED
        breaker.succeed(2.5, Kind.READ)
        breaker.succeed(0.1)
    assert breaker.status().state is Circuit.OPEN


def test_closing_forgets_the_reads_that_opened_it() -> None:
    clock = HandClock()
    breaker = _breaker(clock)
    for _ in range(3):
        breaker.fail("corrupt", Kind.READ)
    clock.now += 30
    assert breaker.acquire()
    breaker.succeed(0.1)
    assert breaker.status().state is Circuit.CLOSED
    breaker.fail("corrupt", Kind.READ)
    assert breaker.status().state is Circuit.CLOSED


def test_an_open_circuit_lets_one_call_try_when_its_time_has_come() -> None:
    clock = HandClock()
    breaker = _opened(clock)
    assert not breaker.acquire()
    clock.now += 29.9
    assert not breaker.acquire()
    clock.now += 0.2
    assert breaker.acquire()
    assert breaker.status().state is Circuit.HALF_OPEN
    assert not breaker.acquire()


def test_a_good_try_closes_it_and_a_bad_one_opens_it_for_another_period() -> None:
    clock = HandClock()
    breaker = _opened(clock)
    clock.now += 30
    assert breaker.acquire()
    breaker.fail("still full")
    assert breaker.status().state is Circuit.OPEN
    clock.now += 29
    assert not breaker.acquire()
    clock.now += 1
    assert breaker.acquire()
    breaker.succeed(0.01)
    assert breaker.status().state is Circuit.CLOSED
    assert breaker.acquire()


def test_how_long_it_has_been_open_counts_from_the_first_opening() -> None:
    clock = HandClock()
    breaker = _opened(clock)
    clock.now += 30
    breaker.acquire()
    breaker.fail("again")
    clock.now += 10
    assert breaker.status().open_seconds == 40
    assert breaker.status().opened == 1


def test_a_reset_closes_it_and_new_failures_open_it_again() -> None:
    breaker = _opened(HandClock())
    breaker.reset()
    assert breaker.status().state is Circuit.CLOSED
    for _ in range(3):
        breaker.fail("broken still")
    assert breaker.status().state is Circuit.OPEN
