"""When a classifier that cannot be loaded is loaded again, in virtual time."""

import asyncio
import itertools

import pytest

from inference.router.classifier import Classifier, Model, State
from inference.router.minilm import ClassifierError


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
    running = asyncio.create_task(classifier.run())
    await enough.wait()
    running.cancel()
    classifier.close()

    assert classifier.state is State.FAILED
    pauses = [after - before for before, after in itertools.pairwise(tries)]
    wanted = [5, 10, 20, 40, 80, 160, 300, 300]
    assert pauses == pytest.approx(wanted, rel=0.11)
    assert pauses != pytest.approx(wanted, rel=1e-6)
