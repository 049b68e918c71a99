"""The loop under every controller: wakes once, tries again, survives what it cannot read."""

import asyncio
import logging

import pytest

from healer.lab.contract import Change
from healer.lab.controller.loop import Controller, Key, itself, run
from tests.fakes.apiserver import budget, pod
from tests.fakes.control import Control

pytestmark = pytest.mark.looptime


async def spin(control: Control, controller: Controller, *, seconds: float) -> None:
    """Run one more controller for so long."""
    try:
        async with asyncio.timeout(seconds):
            await run(control.store, controller)
    except TimeoutError:
        return


async def test_many_changes_of_one_object_wake_it_once(nodeless: Control) -> None:
    seen: list[Key] = []

    async def reconcile(key: Key) -> None:
        seen.append(key)

    for name in ("a", "b"):
        nodeless.store.create("pods", pod(name))
    controller = Controller(name="x", watches={"pods": itself}, reconcile=reconcile)
    await spin(nodeless, controller, seconds=1)
    assert sorted(seen) == [("default", "a"), ("default", "b")]


async def test_what_fails_is_tried_again_after_a_second(
    nodeless: Control, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[Key] = []

    async def reconcile(key: Key) -> None:
        tries.append(key)
        if len(tries) < 3:
            raise RuntimeError("not yet")

    nodeless.store.create("pods", pod("a"))
    controller = Controller(name="x", watches={"pods": itself}, reconcile=reconcile)
    with caplog.at_level(logging.ERROR):
        await spin(nodeless, controller, seconds=10)
    assert len(tries) == 3
    assert "x: default/a failed, trying again" in caplog.text


async def test_a_key_can_ask_to_be_looked_at_later(nodeless: Control) -> None:
    tries: list[Key] = []

    async def reconcile(key: Key) -> float:
        tries.append(key)
        return 15.0

    nodeless.store.create("pods", pod("a"))
    controller = Controller(name="x", watches={"pods": itself}, reconcile=reconcile)
    await spin(nodeless, controller, seconds=50)
    assert len(tries) == 4


async def test_an_object_that_cannot_be_read_stops_nobody(
    nodeless: Control, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Key] = []

    def keys(change: Change) -> tuple[Key, ...]:
        if change.object["metadata"]["name"] == "bad":
            raise ValueError("unreadable")
        return tuple(itself(change))

    async def reconcile(key: Key) -> None:
        seen.append(key)

    for name in ("bad", "good"):
        nodeless.store.create("pods", pod(name))
    controller = Controller(name="x", watches={"pods": keys}, reconcile=reconcile)
    with caplog.at_level(logging.ERROR):
        await spin(nodeless, controller, seconds=1)
    assert seen == [("default", "good")]
    assert "pods default/bad wakes nobody" in caplog.text


async def test_a_broken_budget_leaves_the_others_alone(nodeless: Control) -> None:
    broken = budget("broken", minAvailable=1)
    broken["spec"]["selector"] = {"matchExpressions": [{"key": "a", "operator": "Like"}]}
    nodeless.store.create("poddisruptionbudgets", broken)
    nodeless.store.create("poddisruptionbudgets", budget("web", minAvailable=1))
    await nodeless.settle()
    nodeless.store.create("pods", pod("a", app="web"))
    await nodeless.settle()
    assert nodeless.get("poddisruptionbudgets")["status"]["expectedPods"] == 1
