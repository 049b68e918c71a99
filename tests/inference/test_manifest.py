"""The manifest: what it lists, and that every kind of damage to a model folder is found."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from inference import manifest as manifests
from inference.manifest import Canary, Manifest, ManifestError
from inference.verify import Reason, entries, snapshot, verify


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sealed folder without any model in it: hashes do not care."""
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "a.safetensors").write_bytes(bytes(range(256)) * 5000)
    (folder / "sub" / "b.safetensors").write_bytes(b"b" * 10)
    canary = Canary(prompt=(1, 2), tokens=(3,))
    files = entries(folder, manifests.members(folder))
    manifests.write(folder, Manifest(files=files, canary=canary))
    return folder


def _read(folder: Path) -> Manifest:
    found = manifests.read(folder)
    assert found is not None
    return found


def test_what_was_written_is_read_again_and_a_sound_folder_has_no_fault(folder: Path) -> None:
    found = _read(folder)
    assert sorted(found.files) == ["a.safetensors", "config.json", "sub/b.safetensors"]
    assert found.files["sub/b.safetensors"].size == 10
    assert found.canary == Canary(prompt=(1, 2), tokens=(3,))
    assert verify(folder, found) == []
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def _flip(folder: Path) -> None:
    path = folder / "a.safetensors"
    data = bytearray(path.read_bytes())
    data[777_777] ^= 1
    path.write_bytes(data)


def _truncate(folder: Path) -> None:
    with (folder / "a.safetensors").open("r+b") as file:
        file.truncate(1000)


def _remove(folder: Path) -> None:
    (folder / "sub" / "b.safetensors").unlink()


def _add(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"")


def _to_folder(folder: Path) -> None:
    (folder / "config.json").unlink()
    (folder / "config.json").mkdir()


@pytest.mark.parametrize(
    ("damage", "reason", "words"),
    [
        (_flip, Reason.CHECKSUM, "Checksum mismatch: a.safetensors has SHA-256"),
        (_truncate, Reason.SIZE, "Checksum mismatch: a.safetensors has 1000 bytes"),
        (_remove, Reason.MISSING, "Model file not accessible: sub/b.safetensors is missing"),
        (_add, Reason.UNLISTED, "Model file not sealed: model.safetensors"),
        (_to_folder, Reason.SIZE, "Checksum mismatch: config.json"),
    ],
)
def test_every_damage_is_found_and_named_and_the_cheap_look_sees_that_something_changed(
    folder: Path, damage: Callable[[Path], None], reason: Reason, words: str
) -> None:
    before = snapshot(folder)
    damage(folder)
    faults = verify(folder, _read(folder))
    assert [fault.reason for fault in faults] == [reason]
    assert faults[0].text.startswith(words)
    assert snapshot(folder) != before


@pytest.mark.parametrize("text", ["", "[]", "{", '{"files": {}}', "[" * 100_000])
def test_a_manifest_that_is_not_what_was_written_is_an_error_not_an_absence(
    folder: Path, text: str
) -> None:
    (folder / manifests.NAME).write_text(text)
    with pytest.raises(ManifestError, match=r"manifest\.json"):
        manifests.read(folder)


def test_a_changed_sum_in_the_manifest_itself_is_found(folder: Path) -> None:
    path = folder / manifests.NAME
    content = json.loads(path.read_text())
    content["files"]["config.json"]["sha256"] = "0" * 64
    path.write_text(json.dumps(content))
    with pytest.raises(ManifestError, match="its own checksum"):
        manifests.read(folder)


def test_a_manifest_cannot_name_files_outside_its_folder(folder: Path) -> None:
    found = _read(folder)
    files = {"../secret": found.files["config.json"]}
    manifests.write(folder, Manifest(files=files))
    with pytest.raises(ManifestError, match="leaves the folder"):
        manifests.read(folder)


def test_a_folder_without_a_manifest_has_none_and_the_digest_is_of_the_files_only(
    folder: Path,
) -> None:
    found = _read(folder)
    assert Manifest(files=found.files).digest == found.digest
    (folder / manifests.NAME).unlink()
    assert manifests.read(folder) is None
