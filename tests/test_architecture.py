"""The laws of the house that no linter knows."""

import ast
import re
from pathlib import Path

import pytest

from healer.app.vocabulary import vocabulary
from healer.playbook.loader import load

ROOT = Path(__file__).parent.parent
CODE = sorted(
    path for top in ("healer", "inference", "bench", "tests") for path in (ROOT / top).rglob("*.py")
)
SOURCE = [path for path in CODE if path.relative_to(ROOT).parts[0] in ("healer", "inference")]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", CODE, ids=name)
def test_no_file_is_longer_than_400_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", SOURCE, ids=name)
def test_every_module_says_what_it_is(path: Path) -> None:
    said = ast.get_docstring(ast.parse(path.read_text()))
    assert said, "a module opens with a docstring"
    assert len(said.splitlines()) <= 25


@pytest.mark.parametrize("path", [path for path in SOURCE if path.name == "__init__.py"], ids=name)
def test_a_package_is_only_a_sign_on_the_door(path: Path) -> None:
    (only,) = ast.parse(path.read_text()).body
    assert isinstance(only, ast.Expr)


@pytest.mark.parametrize("path", CODE, ids=name)
def test_nothing_is_left_for_later(path: Path) -> None:
    marks = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")))
    assert not marks.search(path.read_text())


EXCEPTION = re.compile(r"# (?:noqa|type: ignore|pyright: ignore|pyright: report)(?P<rest>.*)")
REASON = re.compile(r"^(?:: [A-Z0-9, ]+|\[[^\]]*\]|\w+=\w+[^#-]*)?\s*(?:-|#)?\s*\w")


@pytest.mark.parametrize("path", CODE, ids=name)
def test_an_exception_to_the_law_has_a_reason_beside_it(path: Path) -> None:
    found = (EXCEPTION.search(line) for line in path.read_text().splitlines())
    bare = [one[0] for one in found if one and not REASON.match(one["rest"])]
    assert bare == []


def test_the_map_names_exactly_the_rooms_that_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    drawn = text.split("```")[1]
    rooms = {
        path.name.removesuffix(".py")
        for path in (ROOT / "healer").iterdir()
        if (path.is_dir() or path.suffix == ".py") and not path.name.startswith("__")
    }
    named = set(re.findall(r"^(?:\w+ \| )*\w+", drawn, re.MULTILINE))
    assert {room for line in named for room in line.split(" | ")} == rooms


def test_every_shipped_playbook_loads() -> None:
    loaded = load([ROOT / "playbooks"], vocabulary())
    assert [str(fault) for fault in loaded.faults] == []
    assert loaded.playbooks
