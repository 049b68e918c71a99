"""Reads files of cases, each with the playbooks and services it names: all faults at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from healer.errors import Fault
from healer.kit.secret import World as SecretWorld
from healer.model.outcome import Json
from healer.model.playbook import Playbook
from healer.model.service import Service
from healer.playbook.compose import At, Mark
from healer.playbook.document import Document, read
from healer.playbook.loader import first_faults, load, shape_faults
from healer.playbook.vocabulary import Vocabulary
from healer.rehearse.fit import check_cases
from healer.rehearse.schema import CaseDocument, CasePart

ENDINGS = (".test.yaml", ".test.yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFile:
    """A file of cases, ready to be played; or what is wrong with it, and then no case is."""

    path: Path
    cases: tuple[CasePart, ...] = ()
    lines: tuple[int, ...] = ()
    playbooks: tuple[Playbook, ...] = ()
    services: tuple[Service, ...] = ()
    faults: tuple[Fault, ...] = ()


def find_cases(paths: Sequence[Path]) -> list[Path]:
    """Files as given, and `*.test.yaml` under folders; nothing hidden."""
    found: dict[Path, None] = {}
    for path in paths:
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        found.update(
            (one, None)
            for one in inside
            if one == path or (one.name.endswith(ENDINGS) and not _is_hidden(one, path))
        )
    return list(found)


def _is_hidden(path: Path, below: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(below).parts)


def load_cases(path: Path, vocabulary: Vocabulary) -> CaseFile:
    """One file."""
    document = _listed(read(path))
    parsed, faults = _parse(document)
    if parsed is None:
        return CaseFile(path=path, faults=_sorted(faults))
    services = {part.name: part.service(routing_key=None) for part in parsed.services}
    playbooks, faults = _playbooks(document, parsed, vocabulary, services)
    if not faults:
        faults = tuple(check_cases(document, parsed, playbooks, vocabulary))
    if faults:
        return CaseFile(path=path, faults=_sorted(faults))
    places = [document.fault(("cases", at, "name"), "") for at in range(len(parsed.cases))]
    return CaseFile(
        path=path,
        cases=tuple(parsed.cases),
        lines=tuple(place.line for place in places),
        playbooks=playbooks,
        services=tuple(services.values()),
    )


def _listed(document: Document) -> Document:
    """One incident may be expected without a list around it: here every case has the list."""
    cases = document.sub(("cases",))
    if not isinstance(document.value, Mapping) or not isinstance(cases, list):
        return document
    alone = [index for index, case in enumerate(cases) if _is_alone(case)]
    listed = [_with_list(case) if _is_alone(case) else case for case in cases]
    values, keys = (_moved(marks, alone) for marks in (document.values, document.keys))
    value = {**document.value, "cases": listed}
    return replace(document, value=value, values=values, keys=keys)


def _is_alone(case: Json) -> bool:
    return isinstance(case, Mapping) and isinstance(case.get("expect"), Mapping)


def _with_list(case: Json) -> Json:
    return {**case, "expect": [case["expect"]]} if isinstance(case, Mapping) else case


def _moved(marks: Mapping[At, Mark], alone: Sequence[int]) -> dict[At, Mark]:
    """What stood in the one part stands in the first of a list now."""
    moved = {
        (*at[:3], 0, *at[3:]): mark
        for at, mark in marks.items()
        if at[:1] == ("cases",) and at[2:3] == ("expect",) and at[1] in alone
    }
    return {**marks, **moved}


def _parse(document: Document) -> tuple[CaseDocument | None, tuple[Fault, ...]]:
    if document.broken:
        return None, document.faults
    world = SecretWorld({}, Path(document.path).parent, secrets=False)
    try:
        parsed = CaseDocument.model_validate(document.value, context=world)
    except ValidationError as error:
        faults = [*document.faults, *shape_faults(document, error, CaseDocument)]
        return None, tuple(first_faults(document, faults))
    return (None, document.faults) if document.faults else (parsed, ())


def _playbooks(
    document: Document,
    parsed: CaseDocument,
    vocabulary: Vocabulary,
    services: Mapping[str, Service],
) -> tuple[tuple[Playbook, ...], tuple[Fault, ...]]:
    """Those that the file names, beside itself; what is wrong with them is told at their place."""
    folder, faults, found = Path(document.path).parent, list[Fault](), list[Path]()
    for index, name in enumerate(parsed.playbooks):
        if (folder / name).is_file():
            found.append((folder / name).resolve())
        else:
            place = document.fault(("playbooks", index), f"there is no file {folder / name}")
            faults.append(place)
    loaded = load(found, vocabulary, services)
    return loaded.playbooks, (*faults, *loaded.faults)


def _sorted(faults: Sequence[Fault]) -> tuple[Fault, ...]:
    return tuple(sorted(faults, key=lambda one: (one.path, one.line, one.column)))
