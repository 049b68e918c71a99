"""The cases that are shipped come true, and no branch of a shipped playbook is without one."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from healer.app.rehearsal import cast
from healer.cli.rehearse import play_all
from healer.rehearse.loader import CaseFile, find_cases, load_cases

FOLDER = Path(__file__).parents[2] / "playbooks"
CAST = cast()
FILES = find_cases([FOLDER])
SHIPPED = sorted(FOLDER.glob("*.yaml"))


def _load(path: Path) -> CaseFile:
    file = load_cases(path, CAST.vocabulary)
    assert not file.faults, "\n".join(map(str, file.faults))
    return file


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_every_case_comes_true(path: Path) -> None:
    played = play_all(_load(path), CAST)
    assert played
    for case in played:
        assert not case.wrong, f"{path.name}:{case.line}: {case.name}: " + "; ".join(case.wrong)


def _covered(path: Path) -> Iterator[str | None]:
    return (expected.branch for case in _load(path).cases for expected in case.expect)


@pytest.mark.parametrize("path", SHIPPED, ids=[path.name for path in SHIPPED])
def test_no_branch_is_without_a_case(path: Path) -> None:
    files = [one for one in FILES if path.resolve() in map(Path, _playbooks(one))]
    assert files, f"{path.name} has no cases: write tests/{path.stem}.test.yaml"
    branches = {
        remedy.name
        for file in files
        for playbook in _load(file).playbooks
        if Path(playbook.path) == path.resolve()
        for remedy in playbook.remedies
    }
    assert branches
    covered = {branch for file in files for branch in _covered(file)}
    assert branches <= covered, f"no case ends in {', '.join(sorted(branches - covered))}"


def test_the_example_of_the_documentation_comes_true(tmp_path: Path) -> None:
    text = (FOLDER.parent / "docs" / "playbook.md").read_text()
    blocks = (part.partition("```")[0] for part in text.split("```yaml\n")[1:])
    (example,) = (one for one in blocks if yaml.safe_load(one).get("kind") == "PlaybookTest")
    (tmp_path / "tests").mkdir()
    shutil.copy(FOLDER / "SCENARIO-2.yaml", tmp_path)
    path = tmp_path / "tests" / "example.test.yaml"
    path.write_text(example)
    (case,) = play_all(_load(path), CAST)
    assert not case.wrong


def _playbooks(path: Path) -> list[str]:
    return [playbook.path for playbook in _load(path).playbooks]
