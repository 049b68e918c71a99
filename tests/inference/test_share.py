"""Another share of the GPUs while the server serves: beside the old model, or in its place."""

import asyncio
import gc
import shutil
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from inference.server import Server
from tests.inference.running import Running, Start

pytestmark = pytest.mark.real

MB = 1_000_000


@dataclass(slots=True, kw_only=True)
class Card:
    """A GPU as far as room on it goes; 20 MB are two tiny models and something."""

    beside: bool
    size: int = 20 * MB
    next: list[int] = field(default_factory=list[int])
    """Sizes at the next looks, as where somebody else takes room meanwhile."""
    rooms: list[int] = field(default_factory=list[int])
    looks: list[Callable[[], object]] = field(default_factory=list[Callable[[], object]])
    seen: list[object] = field(default_factory=list[object])

    def holds(self, device: str) -> bool:
        return device == "cpu"

    def fits_beside(self, folder: Path) -> bool:
        assert folder.is_dir()
        return self.beside

    def room(self, share: float) -> Mapping[int | str, int]:
        """The room at this share; and what those who look see at that moment."""
        gc.collect()
        self.seen += [look() for look in self.looks]
        self.rooms.append(int(share * (self.next.pop(0) if self.next else self.size)))
        return {"cpu": self.rooms[-1]}


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - threads and files: there is no event to await
            await asyncio.sleep(0.01)


def _network(server: Server) -> "weakref.ref[Any]":
    held: Any = server.parts.models._current.model  # pyright: ignore[reportPrivateUsage] - what must be gone
    return weakref.ref(held.network)


async def _share(running: Running, share: float) -> None:
    async with running.client.patch(
        "/admin/config", json={"gpuMemoryUtilization": share}
    ) as response:
        assert response.status == 200


async def test_with_room_for_both_the_new_one_is_loaded_beside_the_old(start: Start) -> None:
    card = Card(beside=True)
    running = await start(shared=card, gpu_memory_utilization=0.9)
    network = _network(running.server)
    card.looks.append(lambda: network() is not None)
    first = running.server.parts.models.engine
    await _share(running, 0.8)
    await _until(lambda: running.server.parts.models.engine is not first)
    assert card.rooms == [18 * MB, 16 * MB, 16 * MB], "at the start, foreseen, and loaded"
    assert card.seen == [True, True]
    assert (await running.complete(prompt="x", max_tokens=1))[0] == 200


async def test_without_room_for_both_what_runs_is_finished_and_who_comes_waits(
    start: Start,
) -> None:
    card = Card(beside=False)
    running = await start(shared=card, step_floor=0.02, max_num_seqs=1)
    parts = running.server.parts
    _, wanted = await running.complete(prompt="one two", max_tokens=60)
    first, network = parts.models.engine, _network(running.server)
    card.looks.append(lambda: (network() is None, parts.admission.active))
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(running.complete(prompt="one two", max_tokens=60))]
        await _until(lambda: parts.admission.active == 1)
        asked.append(group.create_task(running.complete(prompt="one two", max_tokens=60)))
        await _until(lambda: parts.admission.queued == 1)
        await _share(running, 0.7)
        await _until(lambda: not parts.health.ready())
        assert parts.health.alive()
        asked.append(group.create_task(running.complete(prompt="one two", max_tokens=60)))
        await _until(lambda: parts.models.engine is not first)
    foreseen, loaded = card.seen
    assert foreseen == (False, 1)
    assert loaded == (True, 0), "the old model must be gone before the new one is read"
    for done in asked:
        status, answer = done.result()
        assert (status, answer["choices"]) == (200, wanted["choices"])
    assert parts.health.ready()
    assert (await running.complete(prompt="x", max_tokens=1))[0] == 200


async def test_requests_whose_keys_and_values_have_no_room_beside_each_other_take_turns(
    start: Start,
) -> None:
    running = await start(shared=Card(beside=True, size=13 * MB), step_floor=0.005)
    serving, admission = running.server.parts.serving, running.server.parts.admission
    assert serving is not None
    assert serving.context < 2048, "what does not even fit alone is refused"
    status, told = await running.complete(prompt="x", max_tokens=2000)
    assert (status, told["error"]["code"]) == (400, "context_length_exceeded")
    async with asyncio.TaskGroup() as group:
        asked = [
            group.create_task(running.complete(prompt=f"{number}", max_tokens=300))
            for number in range(6)
        ]
        await _until(lambda: admission.active + admission.queued == 6)
        assert 1 < admission.active < 6
        assert admission.queued > 0
    assert {each.result()[0] for each in asked} == {200}


async def test_those_who_wait_for_a_model_that_is_unloaded_still_take_turns(start: Start) -> None:
    running = await start(shared=Card(beside=True, size=13 * MB), step_floor=0.005)
    models, admission = running.server.parts.models, running.server.parts.admission
    lengths = (300, 240, 180, 300, 300, 300)  # those that run first leave one after the other
    async with asyncio.TaskGroup() as group:
        asked: list[asyncio.Task[tuple[int, Any]]] = []
        for number, tokens in enumerate(lengths):
            asking = running.complete(prompt=f"{number}", max_tokens=tokens)
            asked.append(group.create_task(asking))
            await _until(lambda: admission.active + admission.queued == len(asked))
        most = admission.active
        assert 1 < most < 6
        assert models.unload(models.name) == 6
        while not all(each.done() for each in asked):
            assert admission.active <= most
            await asyncio.sleep(0.01)
    assert {each.result()[0] for each in asked} == {200}


async def test_a_share_that_is_too_small_is_told_and_nothing_is_given_up_for_it(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    card = Card(beside=False)
    running = await start(shared=card, gpu_memory_utilization=0.9)
    models = running.server.parts.models
    first = models.engine
    await _share(running, 0.2)
    await _until(lambda: "it would fail at this share" in caplog.text)
    for _ in range(3):  # it is not tried for ever
        models.follow()
        assert (await running.complete(prompt="x", max_tokens=1))[0] == 200
    assert models.engine is first
    assert card.rooms == [18 * MB, 4 * MB]


async def test_a_model_whose_files_are_damaged_now_is_not_given_up(
    start: Start, model_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(model_dir, folder)
    running = await start(shared=Card(beside=False), model=folder)
    first = running.server.parts.models.engine
    (folder / "config.json").unlink()
    await _share(running, 0.7)
    await _until(lambda: "it would fail at this share" in caplog.text)
    assert running.server.parts.models.engine is first
    assert (await running.complete(prompt="x", max_tokens=1))[0] == 200


async def test_where_the_room_is_gone_after_all_the_share_before_serves_on(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    card = Card(beside=False)
    running = await start(shared=card, gpu_memory_utilization=0.9)
    parts = running.server.parts
    first = parts.models.engine
    card.next = [20 * MB, 0]
    await _share(running, 0.8)
    await _until(lambda: parts.models.engine is not first and parts.health.ready())
    assert card.rooms == [18 * MB, 16 * MB, 0, 18 * MB]
    assert "Model cannot be loaded at this share of the GPUs" in caplog.text
    assert (await running.complete(prompt="x", max_tokens=1))[0] == 200


async def test_where_it_is_gone_for_both_the_engine_has_failed_and_a_restart_may_help(
    start: Start,
) -> None:
    card = Card(beside=False)
    running = await start(shared=card)
    card.next = [20 * MB, 0, 0]
    await _share(running, 0.7)
    await _until(lambda: not running.server.parts.health.alive())
    assert (await running.complete(prompt="x", max_tokens=1))[0] == 503


async def test_where_what_runs_takes_too_long_the_old_model_serves_on(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    card = Card(beside=False)
    running = await start(shared=card, step_floor=0.02, drain_timeout=0.1)
    first = running.server.parts.models.engine
    async with asyncio.TaskGroup() as group:
        long = group.create_task(running.complete(prompt="one two", max_tokens=100))
        await _until(lambda: running.server.parts.admission.active == 1)
        await _share(running, 0.7)
        await _until(lambda: "what runs takes too long" in caplog.text)
        assert (await running.complete(prompt="x", max_tokens=1))[0] == 200
    assert long.result()[0] == 200
    assert running.server.parts.models.engine is first
    assert len(card.rooms) == 2, "it was foreseen, and not loaded"
