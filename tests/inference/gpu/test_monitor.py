"""The thread that keeps the latest reading."""

import threading
from collections.abc import Callable, Iterator

from inference.component import Status
from inference.gpu import health
from inference.gpu.monitor import Monitor, Used
from inference.gpu.reading import Device, Reading, Xid

ONE = Device(index=0, uuid="GPU-a", name="a", used=3, free=1)
TWO = Device(index=1, uuid="GPU-b", name="b", used=1, free=3)


class FakeDriver:
    """Gives the readings it was handed, one a round, and repeats the last; may hang."""

    def __init__(self, *readings: Reading | Exception, xid: Xid | None = None) -> None:
        self._readings: Iterator[Reading | Exception] = iter(readings)
        self._last: Reading | Exception = Reading(provider="none")
        self._xid = xid
        self.rounds = threading.Semaphore(0)
        self.answers = threading.Event()
        self.answers.set()
        self.closed = threading.Event()

    def read(self) -> Reading:
        self.answers.wait(10)
        self._last = next(self._readings, self._last)
        if isinstance(self._last, Exception):
            raise self._last
        return self._last

    def wait(self, seconds: float, *, pause: Callable[[float], object]) -> Xid | None:
        self.rounds.release()
        pause(seconds)
        xid, self._xid = self._xid, None
        return xid

    def close(self) -> None:
        self.closed.set()

    def turn(self, times: int = 1) -> None:
        for _ in range(times):
            assert self.rounds.acquire(timeout=10)


class Clock:
    """Time that stands still unless it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def monitor(
    driver: FakeDriver, *, used: Used = lambda: None, clock: Clock | None = None
) -> Monitor:
    made = Monitor(driver, seconds=0.001, used=used, clock=clock or Clock())
    made.start()
    return made


def test_before_the_first_reading_there_is_none_and_that_is_no_fault() -> None:
    never = Monitor(FakeDriver(), seconds=1)
    assert never.reading.provider == "none"
    assert health.component(never).status is Status.HEALTHY
    never.stop(1)


def test_errors_are_counted_by_device_and_number() -> None:
    driver = FakeDriver(Reading(provider="nvml", devices=(ONE,)), xid=Xid(gpu=0, number=79))
    found = monitor(driver)
    driver.turn(3)
    found.stop(5)
    assert found.xids == {Xid(gpu=0, number=79): 1}
    assert (found.last_xid(0), found.last_xid(1)) == (79, 0)
    judged = health.component(found)
    assert (judged.status, judged.message) == (Status.CRITICAL, "GPU 0 reported XID 79")
    assert driver.closed.is_set()


def test_only_devices_that_this_process_computes_on_are_told() -> None:
    driver = FakeDriver(Reading(provider="nvml", devices=(ONE, TWO)))
    found = monitor(driver, used=lambda: frozenset({"GPU-b"}))
    driver.turn()
    assert found.reading.devices == (TWO,)
    found.stop(5)


def test_a_driver_that_hangs_is_told_and_its_old_figures_are_not() -> None:
    clock = Clock()
    driver = FakeDriver(Reading(provider="nvml", devices=(ONE,)))
    found = monitor(driver, clock=clock)
    driver.turn()
    driver.answers.clear()
    clock.now = 60.0
    assert not found.reading.devices
    judged = health.component(found)
    assert judged.status is Status.UNHEALTHY
    assert judged.message == "the driver has not answered for 60 s"
    driver.answers.set()
    driver.turn(2)
    assert found.reading.devices == (ONE,)
    found.stop(5)


def test_a_reader_that_raises_is_tried_again() -> None:
    driver = FakeDriver(RuntimeError("odd"), Reading(provider="nvml", devices=(ONE,)))
    found = monitor(driver)
    driver.turn()
    assert found.reading.devices == (ONE,)
    found.stop(5)
