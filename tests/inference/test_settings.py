"""Settings: what wins, and errors that name their source."""

from pathlib import Path

import pytest

from inference.settings import SettingsError, load


def test_a_flag_wins_over_the_environment_and_that_over_the_default() -> None:
    environment = {"INFERENCE_STEP_FLOOR": "0.05", "INFERENCE_PORT": "9000"}
    found = load(["--port", "9001", "--ssd-dir", "/mnt/ssd"], environment)
    assert (found.port, found.step_floor, found.max_queued) == (9001, 0.05, 50)
    assert found.ssd_dir == Path("/mnt/ssd")


@pytest.mark.parametrize(
    ("arguments", "environment", "named"),
    [
        (["--max-num-seqs", "many"], {}, "--max-num-seqs: 'many'"),
        (["--max-num-seqs", "0"], {}, "at least 1"),
        ([], {"INFERENCE_STEP_FLOOR": "nan"}, "INFERENCE_STEP_FLOOR"),
        (["--overload-status", "500"], {}, "--overload-status: 500 must be 429 or 503"),
        (["--api-key-file", "/nowhere/key"], {}, "api key file /nowhere/key"),
        (["--ssd-low-gb", "1", "--ssd-critical-gb", "2"], {}, "--ssd-critical-gb"),
    ],
)
def test_a_wrong_value_is_told_with_its_source(
    arguments: list[str], environment: dict[str, str], named: str
) -> None:
    with pytest.raises(SettingsError, match=named):
        load(arguments, environment)


def test_the_admin_key_comes_from_a_file_and_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("s3cret\n")
    found = load(["--admin-key-file", str(path)], {})
    assert found.admin_key == "s3cret"
    assert "s3cret" not in repr(found)


def test_an_empty_admin_key_file_is_refused_for_it_would_open_the_door(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("\n")
    with pytest.raises(SettingsError, match="empty"):
        load(["--admin-key-file", str(path)], {})


def test_the_api_key_is_a_key_of_its_own_and_is_not_shown(tmp_path: Path) -> None:
    found = load([], {"INFERENCE_API_KEY": "ap1", "INFERENCE_ADMIN_KEY": "adm"})
    assert (found.api_key, found.admin_key) == ("ap1", "adm")
    assert "ap1" not in repr(found)
    (tmp_path / "key").write_text("ap2")
    assert load([], {"INFERENCE_API_KEY_FILE": str(tmp_path / "key")}).api_key == "ap2"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.31.7.9", "::1", "localhost"])
def test_on_loopback_the_api_may_be_open(host: str) -> None:
    assert load(["--host", host], {}).api_key == ""


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "inference.example"])
def test_beyond_loopback_it_does_not_start_without_a_key(host: str) -> None:
    with pytest.raises(SettingsError, match="can be reached from other machines"):
        load(["--host", host], {})
    assert load(["--host", host], {"INFERENCE_API_KEY": "k"}).host == host
