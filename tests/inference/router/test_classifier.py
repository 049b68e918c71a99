"""When a classifier that cannot be loaded is loaded again, in virtual time."""

import asyncio
import itertools

import pytest

from inference.router.classifier import Classifier, Model, State
from inference.router.minilm import ClassifierError
from tests.inference.router.fakes import FakeModel


@pytest.mark.looptime
async def test_each_pause_is_twice_the_one_before_up_to_the_longest() -> None:
    loop = asyncio.get_running_loop()
    tries: list[float] = []
    enough = asyncio.Event()  # no timer beside: virtual time must stand while the thread loads

    def load() -> Model:
        tries.append(loop.time())
        if len(tries) == 9:
            loop.call_soon_threadsafe(enough.set)
        message = "the volume is not there"
        raise ClassifierError(message)

    classifier = Classifier(load=load, experts=[], retry_seconds=300.0)
    assert classifier.next_try_seconds() == 0
    running = asyncio.create_task(classifier.run())
    await enough.wait()
    running.cancel()
    classifier.close()

    assert classifier.state is State.FAILED
    pauses = [after - before for before, after in itertools.pairwise(tries)]
    wanted = [5, 10, 20, 40, 80, 160, 300, 300]
    assert pauses == pytest.approx(wanted, rel=0.11)
    assert pauses != pytest.approx(wanted, rel=1e-6)


@pytest.mark.looptime
async def test_until_the_next_try_it_says_how_long_that_is() -> None:
    mended = asyncio.Event()

    def load() -> Model:
        if mended.is_set():
            return FakeModel()
        message = "the volume is not there"
        raise ClassifierError(message)

    classifier = Classifier(load=load, experts=[], retry_seconds=300.0)
    running = asyncio.create_task(classifier.run())
    await classifier.decided.wait()
    first = classifier.next_try_seconds()
    await asyncio.sleep(2)
    assert first == pytest.approx(5, rel=0.11)
    assert classifier.next_try_seconds() == pytest.approx(first - 2)
    mended.set()
    await running
    classifier.close()

    assert classifier.state is State.READY
    assert classifier.next_try_seconds() == 0
