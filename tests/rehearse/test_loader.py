"""A file of cases is refused with every fault at its place, before anything is played."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from healer.cli.main import main
from healer.rehearse.loader import find_cases
from tests.rehearse.test_cases import CASE, PLAYBOOK


def _faults(folder: Path, text: str) -> list[str]:
    """What is wrong, without the name of the folder."""
    (folder / "DISK.yaml").write_text(PLAYBOOK.replace("MODE", "auto"))
    path = folder / "DISK.test.yaml"
    path.write_text(text.replace("../DISK.yaml", "DISK.yaml"))
    result = CliRunner().invoke(main, ["playbook", "test", str(path)])
    assert result.exit_code == 1
    head, failed, *faults = result.output.splitlines()
    assert (head, failed) == (f"Playbook testing:  {path}", "  FAILED:")
    return [one.strip().removeprefix(f"{folder}/") for one in faults]


WRONG = {
    "an evidence key": (
        ("world: {free: {value: 12}}", "world: {free: {valeu: 12}}"),
        "12:20: `prometheus.query` has no evidence `valeu`; did you mean `value`?",
    ),
    "a value of another kind": (
        ("world: {free: {value: 12}}", "world: {free: {value: high}}"),
        "12:27: `prometheus.query`: `value` must be a number, not 'high'",
    ),
    "a check": (
        ("world: {free: {value: 12}}", "world: {fee: {value: 12}}"),
        "12:13: the playbook has no check `fee`; did you mean `free`?",
    ),
    "a check of later": (
        ("after: evict, world: {free", "after: evict, world: {fee"),
        "14:32: the playbook has no check `fee`; did you mean `free`?",
    ),
    "a step that something comes after": (
        ("{after: rest", "{after: nap"),
        "15:17: the playbook has no step `nap`; known: evict, rest",
    ),
    "a step that has an outcome": (
        ("    then:", "    steps: {evit: {}}\n    then:"),
        "13:13: the playbook has no step `evit`; did you mean `evict`?",
    ),
    "an expected step": (
        ("steps: [evict: {older_than: 3d}", "steps: [evit: {older_than: 3d}"),
        "18:15: the playbook has no step `evit`; did you mean `evict`?",
    ),
    "a parameter": (
        ("older_than: 3d}", "older: 3d}"),
        "18:23: `inference.cache-evict`: unknown key `older`; did you mean `older_than`?",
    ),
    "a branch": (
        ("branch: make-room", "branch: make-rooms"),
        "17:15: the playbook has no remedy `make-rooms`; did you mean `make-room`?",
    ),
    "a guard": (
        ("      ending", "      refusals: [{guard: cool}]\n      ending"),
        "19:26: the playbook has no guard `cool`; did you mean `cooldown`?",
    ),
    "a moment": (
        ("{after: rest, delay: 1m", "{delay: 1m"),
        "15:9: say when: either `at: 5m` (from the beginning) or `after: STEP`",
    ),
    "an ending": (
        ("ending: healed", "ending: heeled"),
        "19:15: must be one of healed, resolved, rehearsed, cancelled, open, held,",
    ),
    "a key": (
        ("    expect:", "    expects: 1\n    expect:"),
        "16:5: unknown key `expects`; did you mean `expect`? (in `cases.0`)",
    ),
    "a playbook that is not there": (
        ("[../DISK.yaml]", "[DISC.yaml]"),
        "3:13: there is no file",
    ),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_with_its_place(
    tmp_path: Path, wrong: tuple[tuple[str, str], str]
) -> None:
    (old, new), fault = wrong
    assert CASE.count(old) == 1
    told = _faults(tmp_path, CASE.replace(old, new))
    assert any(one.startswith(f"DISK.test.yaml:{fault}") for one in told), told


def test_two_cases_of_one_name_are_a_fault(tmp_path: Path) -> None:
    case = CASE[CASE.index("  - name: room") :]
    assert _faults(tmp_path, CASE + case) == [
        "DISK.test.yaml:20:11: the case `room is made` is there already"
    ]


def test_faults_of_the_playbook_are_told_at_their_own_place(tmp_path: Path) -> None:
    (tmp_path / "BAD.yaml").write_text(PLAYBOOK.replace("MODE", "autoo"))
    (told,) = _faults(tmp_path, CASE.replace("[../DISK.yaml]", "[BAD.yaml]"))
    assert told.startswith("BAD.yaml:6:9: must be one of observe")


def test_cases_are_found_beside_playbooks_and_nothing_hidden(tmp_path: Path) -> None:
    for name in ("a.yaml", "a.test.yaml", "deep/b.test.yml", ".git/c.test.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find_cases([tmp_path]) == [tmp_path / "a.test.yaml", tmp_path / "deep" / "b.test.yml"]


def _usage(*args: str) -> Result:
    return CliRunner().invoke(main, ["playbook", "test", *args])


def test_a_path_that_is_not_there_is_wrong_usage_and_a_folder_without_cases_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _usage(str(tmp_path / "nothing")).exit_code == 2
    empty = _usage(str(tmp_path))
    assert empty.exit_code == 1
    assert "no cases" in empty.output
    monkeypatch.chdir(tmp_path)
    assert _usage().exit_code == 2
