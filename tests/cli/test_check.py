"""`healer check` tells every fault with its place, on stdout; its exit code says if any is."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from healer.cli.main import main
from tests.fakes.words import WORDS

CONFIG = """apiVersion: healer/v1
kind: Configuration
playbooks: [playbooks]
services:
  - name: api
    match: ['service="api"']
    workload: production/deployment/api
    selector: app=api
    thresholds: {free: 20}
"""
PLAYBOOK = """apiVersion: healer/v1
kind: Playbook
metadata: {name: ONE, title: First}
spec:
  match: [['alertname="One"']]
  diagnose: [{id: free, check: prometheus.query, with: {query: up}}]
  verify: {until: checks.free.value > service.thresholds.free}
"""


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "healer.yaml").write_text(CONFIG)
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "one.yaml").write_text(PLAYBOOK)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _check(*args: str) -> Result:
    return CliRunner().invoke(main, ["check", *args], obj=WORDS, catch_exceptions=False)


def test_a_clean_house_is_told_on_stderr_only(house: Path) -> None:
    result = _check()
    assert result.exit_code == 0
    assert result.stdout == ""
    assert result.stderr == "0 faults (2 files, 1 playbook usable)\n"


def test_faults_of_configuration_and_playbooks_are_told_at_once(house: Path) -> None:
    (house / "healer.yaml").write_text(CONFIG + "dry_runs: true\n")
    (house / "playbooks" / "two.yaml").write_text("kind: [\n")
    result = _check("playbooks", "healer.yaml")
    assert result.exit_code == 1
    assert [line.partition(": ")[0] for line in result.stdout.splitlines()] == [
        "healer.yaml:10:1",
        "playbooks/two.yaml:2:1",
    ]
    assert "did you mean `dry_run`?" in result.stdout


def test_the_playbooks_that_the_configuration_names_are_checked_against_its_services(
    house: Path,
) -> None:
    (house / "healer.yaml").write_text(CONFIG.replace("free: 20", "frei: 20"))
    result = _check()
    assert result.exit_code == 1
    assert result.stdout == (
        "playbooks/one.yaml:7:19: `service.thresholds.free`: the service `api` has no such entry "
        "under `thresholds`; did you mean `frei`?\n"
    )


def test_a_playbook_is_checked_without_any_configuration(house: Path) -> None:
    (house / "healer.yaml").unlink()
    assert _check("playbooks/one.yaml").exit_code == 0


def test_a_folder_with_everything_in_it_is_checked_once(house: Path) -> None:
    result = _check(".")
    assert result.exit_code == 0
    assert result.stderr == "0 faults (2 files, 1 playbook usable)\n"


def test_a_configuration_that_names_missing_playbooks_has_a_fault(house: Path) -> None:
    (house / "healer.yaml").write_text(CONFIG.replace("[playbooks]", "[playbook]"))
    result = _check()
    assert result.exit_code == 1
    assert result.stdout == "playbook:1:1: no such file\n"


@pytest.mark.parametrize("args", [["nowhere.yaml"], ["--strange"]])
def test_wrong_usage_exits_2(house: Path, args: list[str]) -> None:
    assert _check(*args).exit_code == 2


def test_without_a_path_and_without_a_configuration_it_says_what_to_name(house: Path) -> None:
    (house / "healer.yaml").unlink()
    result = _check()
    assert result.exit_code == 2
    assert "there is no healer.yaml here: name a PATH" in result.stderr


def test_the_playbooks_of_a_faulty_configuration_are_checked_all_the_same(house: Path) -> None:
    (house / "healer.yaml").write_text(CONFIG + "dry_runs: true\n")
    (house / "playbooks" / "two.yaml").write_text("kind: [\n")
    assert [line.partition(":")[0] for line in _check().stdout.splitlines()] == [
        "healer.yaml",
        "playbooks/two.yaml",
    ]


def test_secrets_that_are_elsewhere_are_not_asked_for(house: Path) -> None:
    (house / "healer.yaml").write_text(CONFIG + "api_tokens: {ann: /run/nowhere/token}\n")
    assert _check().exit_code == 1
    assert _check("--no-secrets").exit_code == 0
