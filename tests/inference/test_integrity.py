"""Damaged weights: refused before they are served, reported while they are, restored under traffic.

All of it over HTTP with the real model, whose files are really damaged.
"""

import asyncio
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from inference.restore import restore
from tests.inference.running import Running, Start

pytestmark = pytest.mark.real

WEIGHTS = "model-00001-of-00002.safetensors"
COUNTER = "model_integrity_check_failed_total"


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not condition():  # noqa: ASYNC110 - threads and files: there is no event to await
            await asyncio.sleep(0.01)


@pytest.fixture
def folder(model_dir: Path, tmp_path: Path) -> Path:
    """A copy of the model to damage; the sound one is its backup."""
    return Path(shutil.copytree(model_dir, tmp_path / "models" / "tiny"))


def _flip(folder: Path) -> None:
    path = folder / WEIGHTS
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 0x40]))


def _truncate(folder: Path) -> None:
    with (folder / WEIGHTS).open("r+b") as file:
        file.truncate(100_000)


def _remove(folder: Path) -> None:
    (folder / WEIGHTS).unlink()


DAMAGES = [
    pytest.param(_flip, "checksum", "Checksum mismatch", id="flipped-byte"),
    pytest.param(_truncate, "size", "Checksum mismatch", id="truncated-file"),
    pytest.param(_remove, "missing", "Model file not accessible", id="missing-file"),
]


async def _status(running: Running, path: str) -> int:
    async with running.client.get(path) as response:
        return response.status


async def _components(running: Running) -> dict[str, Any]:
    async with running.client.get("/health/components") as response:
        return dict((await response.json())["components"])


@pytest.mark.parametrize(("damage", "reason", "words"), DAMAGES)
async def test_damaged_weights_are_never_served_and_a_restore_brings_the_server_up_by_itself(
    start: Start,
    model_dir: Path,
    folder: Path,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[Path], None],
    reason: str,
    words: str,
) -> None:
    damage(folder)
    running = await start(ready=False, model=folder, integrity_seconds=0.05)
    parts = running.server.parts
    await _until(lambda: parts.models.progress().state.value == "refused")
    await _until(lambda: bool(parts.health.components()["model_integrity"].message))
    assert [await _status(running, f"/health/{each}") for each in ("startup", "readiness")] == [
        503,
        503,
    ]
    # A restart cures nothing and would take the metrics away.
    assert await _status(running, "/health/liveness") == 200
    told = await _components(running)
    for component in ("model", "model_integrity"):
        assert told[component]["status"] == "critical"
        assert words in told[component]["message"]
        assert WEIGHTS in told[component]["message"]
    seen = await running.metrics()
    assert seen['health_check_status{component="model"}'] == 3
    assert seen['health_check_status{component="model_integrity"}'] == 3
    assert seen[f'{COUNTER}{{reason="{reason}"}}'] == 1
    assert (await running.complete(prompt="x"))[0] == 503
    found = [each for each in caplog.records if getattr(each, "reason", "") == reason]
    assert [each.levelname for each in found] == ["CRITICAL"]
    assert found[0].getMessage().startswith(words)
    await asyncio.to_thread(restore, folder, model_dir)
    async with asyncio.timeout(20):
        await running.server.ready()
    assert (await running.complete(prompt="x", max_tokens=3))[0] == 200
    await _until(lambda: parts.health.components()["model_integrity"].status.value == 0)
    assert await _status(running, "/health/startup") == 200


@pytest.mark.parametrize(("damage", "reason", "words"), DAMAGES)
async def test_damage_while_serving_is_reported_and_answers_stay_right_until_the_restore(
    start: Start,
    model_dir: Path,
    folder: Path,
    damage: Callable[[Path], None],
    reason: str,
    words: str,
) -> None:
    running = await start(model=folder, integrity_seconds=0.05)
    health = running.server.parts.health
    order = {"prompt": "The disk is full", "max_tokens": 12}
    _, sound = await running.complete(**order)
    damage(folder)
    await _until(lambda: bool(health.components()["model_integrity"].message))
    assert words in (await _components(running))["model_integrity"]["message"]
    seen = await running.metrics()
    assert seen['health_check_status{component="model_integrity"}'] == 3
    assert seen['health_check_status{component="model"}'] == 0
    assert seen[f'{COUNTER}{{reason="{reason}"}}'] == 1
    assert seen["degradation_mode"] == 1
    status, still = await running.complete(**order)
    assert (status, still["choices"]) == (200, sound["choices"])
    assert await _status(running, "/health/readiness") == 200
    await asyncio.to_thread(restore, folder, model_dir)
    await _until(lambda: not health.components()["model_integrity"].message)
    assert (await running.metrics())['health_check_status{component="model_integrity"}'] == 0


async def test_a_restore_and_a_reload_under_traffic_drop_no_request(
    start: Start, model_dir: Path, folder: Path
) -> None:
    running = await start(model=folder, integrity_seconds=0.05, step_floor=0.005)
    order = {"prompt": "Health is not that a process is there", "max_tokens": 20}
    _, sound = await running.complete(**order)
    answers: list[tuple[int, dict[str, Any]]] = []
    stop = asyncio.Event()
    health = running.server.parts.health

    def reached(number: int) -> bool:
        return len(answers) >= number

    async def ask() -> None:
        while not stop.is_set():
            answers.append(await running.complete(**order))

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(ask())
        await _until(partial(reached, 4))
        for damage in (_flip, _truncate, _remove):
            damage(folder)
            await _until(lambda: bool(health.components()["model_integrity"].message))
            await asyncio.to_thread(restore, folder, model_dir)
            async with running.client.post("/v1/models/tiny/load") as response:
                assert response.status == 200
            answered = len(answers) + 4
            await _until(partial(reached, answered))
        stop.set()
    assert len(answers) > 12
    assert {status for status, _ in answers} == {200}
    assert all(answer["choices"] == sound["choices"] for _, answer in answers)


async def test_a_folder_never_sealed_is_served_and_says_so(start: Start, folder: Path) -> None:
    (folder / "manifest.json").unlink()
    running = await start(model=folder)
    assert (await _components(running))["model_integrity"]["sealed"] == "no"
    assert (await running.complete(prompt="x", max_tokens=1))[0] == 200


async def test_a_manifest_that_vanishes_is_a_fault_and_a_new_seal_asks_for_a_load(
    start: Start, folder: Path
) -> None:
    from inference import manifest as manifests
    from inference.manifest import Manifest

    running = await start(model=folder, integrity_seconds=0.05)
    health = running.server.parts.health
    sealed = manifests.read(folder)
    assert sealed is not None
    (folder / manifests.NAME).unlink()
    await _until(
        lambda: "manifest.json is missing" in health.components()["model_integrity"].message
    )
    files = {name: entry for name, entry in sealed.files.items() if not name.endswith(".jinja")}
    (folder / "chat_template.jinja").unlink()
    manifests.write(folder, Manifest(files=files, canary=sealed.canary))
    await _until(lambda: "load it again" in health.components()["model_integrity"].message)
    async with running.client.post("/v1/models/tiny/load") as response:
        assert response.status == 200
    await _until(lambda: not health.components()["model_integrity"].message)


async def test_every_byte_is_read_again_when_the_sweep_is_due_although_stat_shows_nothing(
    start: Start, folder: Path
) -> None:
    running = await start(model=folder, integrity_seconds=0.05, integrity_sweep_seconds=1)
    health = running.server.parts.health

    def age() -> float:
        return float(health.components()["model_integrity"].numbers["seconds_since_full_check"])

    await _until(lambda: age() >= 0.9)
    await _until(lambda: age() < 0.5)
