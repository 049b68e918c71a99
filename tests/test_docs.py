"""The documents name what there is, and nothing else."""

import re
from pathlib import Path

import pytest

from healer.app.vocabulary import vocabulary

DOCS = Path(__file__).parent.parent / "docs"
PLAYBOOK = (DOCS / "playbook.md").read_text()
WORDS = vocabulary()


@pytest.mark.parametrize(
    ("title", "known"),
    [("Actions", WORDS.actions), ("Checks", WORDS.checks), ("Guards", WORDS.guards)],
)
def test_the_tables_of_the_playbook_language_are_complete(
    title: str, known: dict[str, object]
) -> None:
    section = re.split(r"\n##+ ", PLAYBOOK.partition(f"### {title}\n")[2])[0]
    assert re.findall(r"^\| `([a-z.-]+)`", section, re.MULTILINE) == sorted(known)


@pytest.mark.parametrize("path", [*DOCS.glob("*.md"), DOCS.parent / "README.md"], ids=str)
def test_every_link_to_a_file_leads_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", path.read_text())
    missing = [link for link in links if not (path.parent / link).exists()]
    assert missing == []
