"""Loading, swapping and unloading models while the server serves: over HTTP, with real models."""

import asyncio
import gc
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.inference.running import Running, Start

pytestmark = pytest.mark.real

WEIGHTS = "model-00001-of-00002.safetensors"


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not condition():  # noqa: ASYNC110 - threads and files: there is no event to await
            await asyncio.sleep(0.01)


@pytest.fixture(scope="session")
def other_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another tiny model, with other weights."""
    from inference.tiny import make_model

    folder = tmp_path_factory.mktemp("model") / "other"
    make_model(folder, seed=7)
    return folder


@pytest.fixture
def models(model_dir: Path, other_dir: Path, tmp_path: Path) -> Path:
    """A folder of two models."""
    for source in (model_dir, other_dir):
        shutil.copytree(source, tmp_path / "models" / source.name)
    return tmp_path / "models"


async def _post(running: Running, path: str, **more: Any) -> tuple[int, dict[str, Any]]:
    async with running.client.post(f"/v1/models/{path}", **more) as response:
        return response.status, await response.json()


async def _served(running: Running) -> list[str]:
    async with running.client.get("/v1/models") as response:
        return [each["id"] for each in (await response.json())["data"]]


async def test_a_swap_serves_the_new_model_and_finishes_what_the_old_one_began(
    start: Start, models: Path
) -> None:
    running = await start(model=models / "tiny", step_floor=0.01, max_num_seqs=1)
    parts = running.server.parts
    _, old = await running.complete(prompt="one two", max_tokens=40)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(running.complete(prompt="one two", max_tokens=40))
        waits = group.create_task(running.complete(prompt="one two", max_tokens=40))
        await _until(lambda: parts.admission.queued == 1)
        status, told = await _post(running, "other/load")
        assert (status, told["state"], told["replaced"]) == (200, "loaded", "tiny")
        assert await _served(running) == ["other"]
        assert (await running.complete(prompt="x", model="tiny"))[0] == 404
    for done in (first, waits):
        status, answer = done.result()
        assert (status, answer["model"], answer["choices"]) == (200, "tiny", old["choices"])
    _, new = await running.complete(prompt="one two", max_tokens=40, model="other")
    assert new["choices"][0]["text"] != old["choices"][0]["text"]
    seen = await running.metrics()
    assert seen["engine_tokens_total"] >= 4 * 40 - 4


async def test_a_model_that_fails_its_canary_is_rolled_back(start: Start, models: Path) -> None:
    from inference import manifest as manifests
    from inference.manifest import Canary, Manifest

    sealed = manifests.read(models / "other")
    assert sealed is not None
    assert sealed.canary is not None
    wrong = Canary(prompt=sealed.canary.prompt, tokens=sealed.canary.tokens[::-1])
    manifests.write(models / "other", Manifest(files=sealed.files, canary=wrong))
    running = await start(model=models / "tiny")
    _, before = await running.complete(prompt="one two", max_tokens=9)
    status, told = await _post(running, "other/load")
    assert (status, told["error"]["code"]) == (409, "load_failed")
    assert "canary" in told["error"]["message"]
    assert "'tiny' serves on" in told["error"]["message"]
    assert await _served(running) == ["tiny"]
    _, after = await running.complete(prompt="one two", max_tokens=9)
    assert after["choices"] == before["choices"]
    seen = await running.metrics()
    assert seen['model_integrity_check_failed_total{reason="canary"}'] == 1
    # It is the other model that is not sound; the one that serves is.
    assert seen['health_check_status{component="model_integrity"}'] == 0
    assert seen['health_check_status{component="model"}'] == 0


async def test_a_damaged_or_unreadable_model_is_not_taken_either(
    start: Start, models: Path
) -> None:
    running = await start(model=models / "tiny")
    (models / "other" / WEIGHTS).write_bytes(b"x")
    status, told = await _post(running, "other/load")
    assert (status, "Checksum mismatch" in told["error"]["message"]) == (409, True)
    (models / "other" / "manifest.json").unlink()
    status, told = await _post(running, "other/load")
    assert (status, told["error"]["code"]) == (409, "load_failed")
    assert (await running.complete(prompt="x", max_tokens=1))[0] == 200
    async with running.client.get("/health/liveness") as response:
        assert response.status == 200


async def test_health_answers_at_once_while_a_model_is_loaded_and_a_second_load_waits(
    start: Start, models: Path
) -> None:
    running = await start(model=models / "tiny")
    status, told = await _post(running, "other/load", json={"wait": False})
    assert (status, told["state"]) == (202, "loading")
    assert (await _post(running, "tiny/load"))[0] == 409
    assert (await _post(running, "tiny/unload"))[0] == 409
    answers = 0
    while running.server.parts.models.opening is not None:
        async with running.client.get("/health") as response:
            assert response.status == 200
        answers += 1
    assert await _served(running) == ["other"]
    assert answers >= 3  # a loop that a load blocks would have answered once, afterwards


async def test_an_unloaded_model_is_gone_from_memory_and_comes_back_when_asked(
    start: Start, models: Path
) -> None:
    running = await start(model=models / "tiny", step_floor=0.01)
    parts = running.server.parts
    held: Any = parts.models._current.model  # pyright: ignore[reportPrivateUsage] - what must be gone
    network = weakref.ref(held.network)
    del held
    async with asyncio.TaskGroup() as group:
        last = group.create_task(running.complete(prompt="x", max_tokens=30))
        await _until(lambda: parts.admission.active == 1)
        status, told = await _post(running, "tiny/unload")
        assert (status, told["state"], told["finishing"]) == (200, "unloaded", 1)
        status, refused = await running.complete(prompt="x")
        assert (status, refused["error"]["message"]) == (503, "the model is unloaded")
    assert last.result()[0] == 200
    assert await _served(running) == []
    await _until(lambda: gc.collect() >= 0 and network() is None)
    for path, expected in (("liveness", 200), ("readiness", 503)):
        async with running.client.get(f"/health/{path}") as response:
            assert response.status == expected
    assert (await _post(running, "tiny/unload"))[0] == 404
    assert (await _post(running, "tiny/load"))[0] == 200
    assert (await running.complete(prompt="x", max_tokens=1))[0] == 200


@pytest.mark.parametrize(
    "name", ["..", "%2e%2e", "..%2ftiny", "%2fetc", ".hidden", "link", "none", "a%00b", "x" * 200]
)
async def test_no_name_leads_out_of_the_folder_of_models(
    start: Start, models: Path, model_dir: Path, name: str
) -> None:
    (models / "link").symlink_to(model_dir)
    running = await start(model=models / "tiny")
    from yarl import URL

    url = running.client.make_url("/")
    path = URL(f"{url}v1/models/{name}/load", encoded=True)
    async with running.client.session.post(path) as response:
        assert response.status in (404, 405)
    assert await _served(running) == ["tiny"]


async def test_load_and_unload_need_the_admin_key_and_looking_does_not(
    start: Start, models: Path
) -> None:
    running = await start(model=models / "tiny", admin_key="k3y")
    for path in ("other/load", "tiny/unload"):
        assert (await _post(running, path))[0] == 401
        assert (await _post(running, path, headers={"X-Admin-Key": "no"}))[0] == 401
    assert await _served(running) == ["tiny"]
    async with running.client.get("/v1/models/tiny") as response:
        assert (await response.json())["id"] == "tiny"
    async with running.client.get("/v1/models/none") as response:
        assert response.status == 404
    assert (await _post(running, "other/load", headers={"X-Admin-Key": "k3y"}))[0] == 200
