"""Loads playbooks from files and folders: all faults of all files at once, the good ones usable."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError

from healer.errors import Fault
from healer.model.playbook import Playbook
from healer.playbook.build import build, digest_of
from healer.playbook.compose import At
from healer.playbook.document import Document, read
from healer.playbook.fit import Services, check_fit
from healer.playbook.meaning import check_meaning
from healer.playbook.nearest import did_you_mean
from healer.playbook.schema import PlaybookDocument
from healer.playbook.sentence import sentence
from healer.playbook.vocabulary import Vocabulary

_ENDINGS = (".yaml", ".yml")
_TESTS = (".test.yaml", ".test.yml")
_OF_A_KEY = "[key]"  # what pydantic puts behind the key of a mapping that is wrong itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What could be used, by name, and what is wrong with the rest."""

    playbooks: tuple[Playbook, ...]
    faults: tuple[Fault, ...]


def load(paths: Sequence[Path], vocabulary: Vocabulary, services: Services | None = None) -> Loaded:
    """All playbooks under `paths`. Of two that cannot be told apart, neither is usable.

    Where the services are known, the names of services and thresholds are checked, too.
    """
    return load_documents([read(path) for path in find_files(paths)], vocabulary, services)


def load_documents(
    documents: Sequence[Document], vocabulary: Vocabulary, services: Services | None = None
) -> Loaded:
    """The same, for what was read already."""
    faults: list[Fault] = []
    good: list[tuple[Playbook, Document]] = []
    for document in documents:
        playbook, found = _load_one(document, vocabulary, services)
        faults += found
        if playbook:
            good.append((playbook, document))
    clashes = dict(_clashes(good))
    faults += (fault for found in clashes.values() for fault in found)
    faults += _strangers(documents)
    usable = (playbook for playbook, _ in good if playbook.path not in clashes)
    return Loaded(
        playbooks=tuple(sorted(usable, key=lambda playbook: playbook.name)),
        faults=tuple(sorted(faults, key=lambda fault: (fault.path, fault.line, fault.column))),
    )


def find_files(paths: Sequence[Path]) -> list[Path]:
    """Files as given, and the YAML files under folders; not tests of playbooks, nothing hidden.

    A mounted ConfigMap keeps its real files in a hidden folder and links to them.
    """
    found: dict[Path, None] = {}
    for path in paths:
        inside = sorted(_inside(path)) if _is_folder(path) else [path]
        found.update(dict.fromkeys(inside))
    return list(found)


def shape_faults(
    document: Document, error: ValidationError, model: type[BaseModel]
) -> Iterator[Fault]:
    """The mistakes that pydantic found, at their places, in sentences."""
    for row in error.errors(include_url=False):
        at: At = row["loc"]
        key = row["type"] == "extra_forbidden" or at[-1:] == (_OF_A_KEY,)
        at = at[:-1] if at[-1:] == (_OF_A_KEY,) else at
        where = _where(at if row["type"] == "extra_forbidden" or row["type"] == "missing" else ())
        yield document.fault(at, f"{sentence(row, model)}{where}", key=key)


def _where(at: At) -> str:
    inside = ".".join(str(part) for part in at[:-1])
    return f" (in `{inside}`)" if inside else ""


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _inside(folder: Path) -> Iterator[Path]:
    try:
        children = [(child, child.is_dir()) for child in folder.iterdir()]
    except OSError:
        yield folder  # reading it as a file tells what is wrong with it
        return
    for child, is_folder in children:
        if child.name.startswith("."):
            continue
        if is_folder:
            if not child.is_symlink():
                yield from _inside(child)
        elif child.name.endswith(_ENDINGS) and not child.name.endswith(_TESTS):
            yield child


def _load_one(
    document: Document, vocabulary: Vocabulary, services: Services | None
) -> tuple[Playbook | None, tuple[Fault, ...]]:
    if document.broken:
        return None, document.faults
    faults = [*document.faults, *check_meaning(document, vocabulary)]
    if services is not None:
        faults += check_fit(document, services)
    try:
        parsed = PlaybookDocument.model_validate(document.value)
    except ValidationError as error:
        faults += shape_faults(document, error, PlaybookDocument)
    else:
        if not faults:
            return build(parsed, path=document.path, digest=digest_of(document.value)), ()
    return None, tuple(first_faults(document, faults))


def first_faults(document: Document, faults: Sequence[Fault]) -> Iterator[Fault]:
    """All faults; but where a value could not even be read, only that."""
    unread = {(fault.line, fault.column) for fault in document.faults}
    for fault in dict.fromkeys(faults):
        if fault in document.faults or (fault.line, fault.column) not in unread:
            yield fault


def _clashes(
    good: Sequence[tuple[Playbook, Document]],
) -> Iterator[tuple[str, tuple[Fault, ...]]]:
    """For each file that clashes with another: the faults."""
    for playbook, document in good:
        faults: list[Fault] = []
        for other, _ in good:
            if other.path == playbook.path:
                continue
            if other.name == playbook.name:
                message = f"the name `{playbook.name}` is also taken by {other.path}"
                faults.append(document.fault(("metadata", "name"), message))
            elif index := _tie(playbook, other):
                message = f"matches just what `{other.name}` ({other.path}) matches, so which of "
                message += "them starts would be chance: add a matcher or `services` to one"
                faults.append(document.fault(("spec", "match", index - 1), message))
        if faults:
            yield playbook.path, tuple(faults)


def _strangers(documents: Sequence[Document]) -> Iterator[Fault]:
    """Who joins a playbook that is not there, or itself, would join nobody."""
    names = {str(document.sub(("metadata", "name"))) for document in documents}
    for document in documents:
        joins = document.sub(("spec", "joins"))
        own = str(document.sub(("metadata", "name")))
        for index, name in enumerate(joins if isinstance(joins, list) else ()):
            if isinstance(name, str) and (name == own or name not in names):
                others = names - {own}
                message = f"there is no other playbook `{name}`{did_you_mean(name, others)}"
                yield document.fault(("spec", "joins", index), message)


def _tie(one: Playbook, two: Playbook) -> int:
    """The number, from 1, of the alternative of `one` that `two` has, too; 0 if they differ."""
    shared = set(one.services) & set(two.services)
    if bool(one.services) != bool(two.services) or (one.services and not shared):
        return 0
    theirs = {frozenset(alternative) for alternative in two.match}
    hits = (index for index, mine in enumerate(one.match, 1) if frozenset(mine) in theirs)
    return next(hits, 0)
