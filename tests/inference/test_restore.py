"""Restoring from a backup: all or nothing, atomic, the bad file kept, unsound backups refused."""

import shutil
from pathlib import Path

import pytest

from inference import manifest as manifests
from inference import restore as restoring
from inference.__main__ import main
from inference.manifest import Manifest
from inference.restore import RestoreError, restore
from inference.verify import entries, verify


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sealed folder; its backup lies beside it."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "a.safetensors").write_bytes(b"a" * 100_000)
    (folder / "b.safetensors").write_bytes(b"b" * 100_000)
    manifests.write(folder, Manifest(files=entries(folder, manifests.members(folder))))
    shutil.copytree(folder, tmp_path / "backup")
    return folder


def _content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _sound(folder: Path) -> bool:
    found = manifests.read(folder)
    return found is not None and verify(folder, found) == []


def test_bad_and_missing_files_come_back_and_what_was_bad_is_kept_beside(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "a.safetensors").write_bytes(b"x" * 100_000)
    (folder / "b.safetensors").unlink()
    (folder / "model.safetensors").write_bytes(b"sneaked in")
    opened = (folder / "a.safetensors").open("rb")
    done = restore(folder, tmp_path / "backup")
    assert done.files == ["a.safetensors", "b.safetensors"]
    assert done.bytes == 200_000
    assert _sound(folder)
    aside = {name.split(".corrupt-")[0]: folder / name for name in done.quarantined}
    assert aside["a.safetensors"].read_bytes() == b"x" * 100_000
    assert aside["model.safetensors"].read_bytes() == b"sneaked in"
    # Whoever had the old file open or mapped still sees the old one: it was never written over.
    with opened:
        assert opened.read(1) == b"x"
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_a_sound_folder_is_left_alone(folder: Path, tmp_path: Path) -> None:
    before = {path.name: path.stat().st_ino for path in folder.iterdir()}
    assert restore(folder, tmp_path / "backup").files == []
    assert {path.name: path.stat().st_ino for path in folder.iterdir()} == before


def test_an_unsound_backup_is_refused_and_nothing_is_touched(folder: Path, tmp_path: Path) -> None:
    (folder / "a.safetensors").write_bytes(b"x")
    (tmp_path / "backup" / "b.safetensors").write_bytes(b"y" * 100_000)
    before = _content(folder)
    with pytest.raises(RestoreError, match=r"not sound, nothing was touched.*b\.safetensors"):
        restore(folder, tmp_path / "backup")
    assert _content(folder) == before


def test_a_backup_of_another_model_is_refused(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text("{ }")
    manifests.write(other, Manifest(files=entries(other, ["config.json"])))
    (folder / "a.safetensors").unlink()
    with pytest.raises(RestoreError, match="nothing was touched"):
        restore(folder, other)


def test_without_a_sound_manifest_the_backups_own_is_taken(folder: Path, tmp_path: Path) -> None:
    (folder / manifests.NAME).write_text("{")
    (folder / "a.safetensors").write_bytes(b"x")
    assert restore(folder, tmp_path / "backup").files == ["a.safetensors"]
    assert _sound(folder)


def test_without_any_manifest_there_is_nothing_to_trust(folder: Path, tmp_path: Path) -> None:
    (folder / manifests.NAME).unlink()
    (tmp_path / "backup" / manifests.NAME).unlink()
    with pytest.raises(RestoreError, match="nothing to trust"):
        restore(folder, tmp_path / "backup")


def test_too_little_space_is_told_before_anything_is_copied(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "a.safetensors").write_bytes(b"x")
    before = _content(folder)
    # A disk with less free space than the reserve cannot be had in a test, a larger reserve can.
    monkeypatch.setattr(restoring, "_RESERVE_BYTES", 1 << 62)
    with pytest.raises(RestoreError, match=r"bytes free; 100000 and a reserve"):
        restore(folder, tmp_path / "backup")
    assert _content(folder) == before


def test_the_command_line_verifies_and_restores_and_says_so(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backup = str(tmp_path / "backup")
    assert main(["verify", str(folder)]) == 0
    (folder / "a.safetensors").write_bytes(b"x")
    assert main(["verify", str(folder)]) == 1
    assert "Checksum mismatch: a.safetensors" in capsys.readouterr().out
    assert main(["restore", str(folder), "--from", str(tmp_path / "nowhere")]) == 1
    assert main(["restore", str(folder), "--from", backup]) == 0
    assert "restored: a.safetensors" in capsys.readouterr().out
    assert main(["verify", str(folder)]) == 0
    assert main(["restore", str(folder)]) == 2
