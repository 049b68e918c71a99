"""`healer check`: every fault of configuration and playbooks at once, each with its place."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from healer.cli.playbook import the_vocabulary
from healer.errors import Fault
from healer.playbook.document import Document, read
from healer.playbook.fit import Services
from healer.playbook.loader import find_files, load_documents
from healer.playbook.vocabulary import Vocabulary
from healer.settings import read_settings

DEFAULT = Path("healer.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was looked at, and what was found."""

    files: int
    playbooks: int
    faults: tuple[Fault, ...]


@click.command()
@click.argument(
    "paths", metavar="[PATH]...", nargs=-1, type=click.Path(exists=True, path_type=Path)
)
@click.option(
    "--secrets/--no-secrets",
    default=True,
    show_default=True,
    help="Look whether the files and variables that hold secrets are there.",
)
@click.pass_context
def check(ctx: click.Context, paths: tuple[Path, ...], secrets: bool) -> None:
    """Tell every fault of configuration and playbooks, as file:line:column.

    PATH is a configuration, a playbook, or a folder of them; without one, healer.yaml and the
    playbooks that it names. Exit code 1 where there are faults.
    """
    if not paths and not DEFAULT.exists():
        message = f"there is no {DEFAULT} here: name a PATH"
        raise click.UsageError(message)
    checked = check_paths(paths or (DEFAULT,), the_vocabulary(ctx), secrets=secrets)
    for fault in checked.faults:
        click.echo(str(fault))
    found = _count(len(checked.faults), "fault")
    looked = f"{_count(checked.files, 'file')}, {_count(checked.playbooks, 'playbook')} usable"
    click.echo(f"{found} ({looked})", err=True)
    ctx.exit(1 if checked.faults else 0)


def check_paths(paths: Sequence[Path], vocabulary: Vocabulary, *, secrets: bool = True) -> Checked:
    """Look at everything under `paths`, and at the playbooks that a configuration names."""
    documents = {path: read(path) for path in find_files(paths)}
    looked = set(documents)
    faults: list[Fault] = []
    services: Services | None = None
    for path, document in tuple(documents.items()):
        if not _is_configuration(document):
            continue
        del documents[path]
        settings, found = read_settings(document, secrets=secrets)
        faults += found
        services = settings.known_services if settings else None
        named = find_files(settings.playbooks if settings else _named(document))
        documents |= {one: read(one) for one in named if one not in documents}
    loaded = load_documents(list(documents.values()), vocabulary, services)
    every = sorted((*faults, *loaded.faults), key=lambda one: (one.path, one.line, one.column))
    return Checked(
        files=len(looked | set(documents)),
        playbooks=len(loaded.playbooks),
        faults=tuple(dict.fromkeys(every)),
    )


def _named(document: Document) -> list[Path]:
    """The playbooks of a configuration that has faults elsewhere."""
    names = document.sub(("playbooks",))
    folder = Path(document.path).parent
    every = names if isinstance(names, list) else []
    return [folder / name for name in every if isinstance(name, str)]


def _is_configuration(document: Document) -> bool:
    return document.sub(("kind",)) == "Configuration"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
