"""The admin endpoints that examine and restore a model: over HTTP, on real files."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from inference import manifest as manifests
from tests.inference.running import Running, Start

pytestmark = pytest.mark.real


@pytest.fixture
def folder(model_dir: Path, tmp_path: Path) -> Path:
    """A model of its own; its backup lies beside it."""
    shutil.copytree(model_dir, tmp_path / "backup")
    return Path(shutil.copytree(model_dir, tmp_path / "model"))


async def serve(start: Start, folder: Path, **settings: Any) -> Running:
    given = {"model": folder, "backup": folder.parent / "backup", "integrity_seconds": 0.05}
    return await start(**{**given, **settings})


async def look(running: Running) -> dict[str, Any]:
    async with running.client.get("/admin/model") as answer:
        assert answer.status == 200
        found: dict[str, Any] = await answer.json()
        return found


async def restore(running: Running, **body: object) -> tuple[int, dict[str, Any]]:
    async with running.client.post("/admin/model/restore", json=body) as answer:
        return answer.status, await answer.json()


def flip(folder: Path) -> Path:
    """One bit of the weights, in place."""
    path = sorted(folder.glob("*.safetensors"))[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return path


async def test_a_flipped_bit_is_found_named_and_put_right_while_the_model_serves_on(
    start: Start, folder: Path
) -> None:
    running = await serve(start, folder)
    good = (await look(running))["sound"]
    bad = flip(folder)

    found = await look(running)
    rehearsed = await restore(running, dry_run=True)
    still = (await look(running))["sound"]
    done = await restore(running)
    after = await look(running)

    assert (good, found["sound"], still, after["sound"]) == (True, False, False, True)
    assert found["faults"][0]["reason"] == "checksum"
    assert (found["restorable"], found["files"]) == (True, [bad.name])
    assert rehearsed[0] == done[0] == 200
    assert rehearsed[1]["files"] == done[1]["files"] == [bad.name]
    (kept,) = done[1]["quarantined"]
    assert (folder / kept).exists()
    assert (await running.complete(model=running.server.parts.models.name, prompt="x"))[0] == 200


async def test_a_backup_as_corrupt_as_the_model_restores_nothing(
    start: Start, folder: Path
) -> None:
    running = await serve(start, folder)
    bad = flip(folder)
    flip(folder.parent / "backup")
    before = bad.read_bytes()

    found = await look(running)
    status, told = await restore(running)

    assert (found["restorable"], found["cause"]) == (False, "backup")
    assert "is not sound, nothing was touched" in found["refusal"]
    assert (status, told["error"]["code"]) == (409, "restore_backup")
    assert bad.read_bytes() == before


async def test_without_a_manifest_a_model_that_differs_may_be_newer_and_is_left_alone(
    start: Start, folder: Path
) -> None:
    running = await serve(start, folder)
    bad = flip(folder)
    (folder / manifests.NAME).unlink()
    before = bad.read_bytes()

    found = await look(running)
    status, told = await restore(running)

    assert (found["sound"], found["restorable"], found["cause"]) == (False, False, "model")
    assert (status, told["error"]["code"]) == (409, "restore_model")
    assert "may be a newer model" in told["error"]["message"]
    assert bad.read_bytes() == before


async def test_without_a_backup_it_says_what_is_missing(start: Start, folder: Path) -> None:
    running = await serve(start, folder, backup=None)
    flip(folder)

    found = await look(running)
    status, told = await restore(running)

    assert (found["sound"], found["restorable"], found["backup"]) == (False, False, None)
    assert status == 409
    assert "--backup" in told["error"]["message"]


async def test_a_server_that_refused_its_model_restores_it_and_serves(
    start: Start, folder: Path
) -> None:
    flip(folder)
    running = await serve(start, folder, ready=False)

    status, _ = await restore(running)
    await running.server.ready()

    assert status == 200
    assert (await running.complete(model=running.server.parts.models.name, prompt="x"))[0] == 200


@pytest.mark.parametrize("body", [{"dry_run": "yes"}, {"from": "/elsewhere"}])
async def test_anything_else_that_is_asked_is_refused(
    start: Start, folder: Path, body: dict[str, object]
) -> None:
    status, _ = await restore(await serve(start, folder), **body)

    assert status == 400


async def test_the_files_are_the_business_of_whoever_has_the_key(
    start: Start, folder: Path
) -> None:
    running = await serve(start, folder, admin_key="adm")
    async with running.client.get("/admin/model") as answer:
        assert answer.status == 401
    assert (await restore(running))[0] == 401
