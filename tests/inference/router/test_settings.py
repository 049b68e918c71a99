"""The experts' file: what is wrong is refused with its place."""

from pathlib import Path

import pytest

from inference.router.settings import experts_of, load
from inference.settings import SettingsError

GOOD = """
experts:
  - {name: code, url: "http://code:80/", examples: [write a function]}
  - {name: general, url: "http://general", examples: [hello], model: big}
fallback: general
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "experts.yaml"


def test_a_good_file_is_read_and_the_environment_says_where_an_expert_is(path: Path) -> None:
    path.write_text(GOOD)
    settings, experts = load(
        ["--config", str(path), "--probe-seconds", "2"],
        {"INFERENCE_EXPERT_URL_GENERAL": "http://127.0.0.1:9", "INFERENCE_PORT": "9000"},
    )
    assert (settings.port, settings.probe_seconds) == (9000, 2.0)
    assert [each.url for each in experts.experts] == ["http://code:80", "http://127.0.0.1:9"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("fallback: general", "fallback: nobody", "'nobody' is none of the experts: code, general"),
        ("name: code", "name: general", "two experts are named 'general'"),
        ("name: code", "name: Code", "experts.0.name"),
        ("http://code:80/", "code:80", "must be http://HOST"),
        ("[write a function]", "[]", "experts.0.examples"),
        ("fallback: general", "fallback: general\nthreshold: 2", "threshold"),
        ("fallback: general", "fallback: general\nextra: 1", "extra"),
        ("experts:", "experts: [", "experts.yaml"),
        (GOOD, "", "experts.yaml"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(path: Path, old: str, new: str, said: str) -> None:
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(SettingsError) as error:
        experts_of(path, {})
    assert said in str(error.value)
    assert str(path) in str(error.value)


def test_a_file_that_is_not_there_is_named(path: Path) -> None:
    with pytest.raises(SettingsError, match=r"experts\.yaml"):
        experts_of(path, {})


def test_an_address_from_the_environment_is_checked_too(path: Path) -> None:
    path.write_text(GOOD)
    with pytest.raises(SettingsError, match="must be http://HOST"):
        experts_of(path, {"INFERENCE_EXPERT_URL_CODE": "ftp://x"})
