"""Live settings: read at the start, read again when the ConfigMap changes, refused when wrong."""

from pathlib import Path

import pytest

from inference.live import LiveConfig
from inference.settings import SettingsError


def _live(path: Path) -> LiveConfig:
    return LiveConfig(max_num_seqs=256, gpu_memory_utilization=0.9, path=path)


def test_a_folder_with_a_file_per_key_is_read_and_read_again(tmp_path: Path) -> None:
    (tmp_path / "maxNumSeqs").write_text("128\n")
    (tmp_path / "somethingElse").write_text("x")
    live = _live(tmp_path)
    assert (live.max_num_seqs, live.gpu_memory_utilization) == (128, 0.9)
    (tmp_path / "maxNumSeqs").write_text("64")
    failures: list[Exception] = []
    assert live.refresh(failures.append)
    assert live.max_num_seqs == 64
    assert not live.refresh(failures.append)
    assert not failures


def test_a_yaml_file_with_texts_as_a_configmap_holds_them(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text('maxNumSeqs: "32"\ngpuMemoryUtilization: "0.85"\n')
    live = _live(path)
    assert (live.max_num_seqs, live.gpu_memory_utilization) == (32, 0.85)


@pytest.mark.parametrize("text", ["0", "-3", "many", "1.5", "true", "[1]", "{"])
def test_a_wrong_value_is_refused_at_the_start_and_changes_nothing_later(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "maxNumSeqs").write_text("8")
    live = _live(tmp_path)
    (tmp_path / "maxNumSeqs").write_text(text)
    failures: list[Exception] = []
    assert not live.refresh(failures.append)
    assert live.max_num_seqs == 8
    assert len(failures) == 1
    with pytest.raises(SettingsError):
        _live(tmp_path)


def test_a_change_is_all_or_nothing(tmp_path: Path) -> None:
    live = _live(tmp_path)
    with pytest.raises(SettingsError, match="gpuMemoryUtilization"):
        live.change({"maxNumSeqs": 4, "gpuMemoryUtilization": 7})
    assert live.max_num_seqs == 256
    with pytest.raises(SettingsError, match="unknown key 'maxNumSeq'"):
        live.change({"maxNumSeq": 4})


def test_the_word_of_the_admin_stands_until_the_file_says_something_new(tmp_path: Path) -> None:
    (tmp_path / "maxNumSeqs").write_text("8")
    live = _live(tmp_path)
    live.change({"maxNumSeqs": 4})
    failures: list[Exception] = []
    assert not live.refresh(failures.append)
    assert live.max_num_seqs == 4
    (tmp_path / "maxNumSeqs").write_text("16")
    assert live.refresh(failures.append)
    assert live.max_num_seqs == 16
