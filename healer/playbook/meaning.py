"""Whether a playbook makes sense: its words are known, its parameters fit, its names exist.

Looks at the document as it was read, not at the finished playbook, so that mistakes of shape
and mistakes of meaning are told at once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from pydantic import ValidationError

from healer.errors import Fault
from healer.model.outcome import Json
from healer.playbook.compose import At
from healer.playbook.condition import check_condition
from healer.playbook.document import Document
from healer.playbook.nearest import did_you_mean
from healer.playbook.render import check_templates, has_template
from healer.playbook.scope import ROOTS, Names
from healer.playbook.sentence import sentence
from healer.playbook.vocabulary import Models, Vocabulary

_SPEC = ("spec",)
_EARLY = frozenset({"alert", "alerts", "service"})
_LOOKING = _EARLY | {"target", "incident"}


def check_meaning(document: Document, vocabulary: Vocabulary) -> Iterator[Fault]:
    """Every fault of meaning."""
    late = Names(
        checks=frozenset(_ids(document, (*_SPEC, "diagnose"))),
        evidence=_evidence(document, vocabulary),
    )
    yield from _target(document)
    yield from _parts(
        document, "guard", (*_SPEC, "guards"), vocabulary.guards, Names(roots=_LOOKING)
    )
    yield from _parts(
        document, "check", (*_SPEC, "diagnose"), vocabulary.checks, Names(roots=_LOOKING)
    )
    yield from _absent(document, vocabulary.absent)
    yield from _unique(document, [(*_SPEC, "diagnose")], "id", "check")
    yield from _unique(document, [(*_SPEC, "remedies")], "name", "remedy")
    yield from _remedies(document, late, vocabulary)
    steps = frozenset(
        step
        for at, _ in document.rows((*_SPEC, "remedies"))
        for step in _ids(document, (*at, "steps"))
    )
    late = replace(late, steps=steps)
    yield from _condition(document, (*_SPEC, "verify", "until"), late)
    yield from _condition(document, (*_SPEC, "escalate", "when"), late)


def _target(document: Document) -> Iterator[Fault]:
    at = (*_SPEC, "target")
    for _, problem in check_templates(document.sub(at), Names(roots=_EARLY)):
        yield document.fault(at, problem)


def _evidence(document: Document, vocabulary: Vocabulary) -> dict[str, frozenset[str]]:
    """By the id of a check: the names that its findings hold, where the check declares them."""
    return {
        str(check.get("id")): frozenset(vocabulary.evidence[name])
        for _, check in document.rows((*_SPEC, "diagnose"))
        if isinstance(name := check.get("check"), str) and name in vocabulary.evidence
    }


def _remedies(document: Document, names: Names, vocabulary: Vocabulary) -> Iterator[Fault]:
    always = ""
    lists: list[At] = []
    choosing = replace(names, roots=ROOTS - {"steps"})
    for at, remedy in document.rows((*_SPEC, "remedies")):
        yield from _condition(document, (*at, "when"), choosing)
        if always:
            yield document.fault(at, f"never reached: the remedy `{always}` before it always holds")
        if remedy.get("when") in (True, "true"):
            always = str(remedy.get("name"))
        lists.append((*at, "steps"))
        yield from _steps(document, (*at, "steps"), names, vocabulary)
    yield from _unique(document, lists, "id", "step")


def _steps(document: Document, at: At, known: Names, vocabulary: Vocabulary) -> Iterator[Fault]:
    """A step may name the steps before it in its own remedy, and no other."""
    before: set[str] = set()
    for row, step in document.rows(at):
        names = replace(known, steps=frozenset(before))
        yield from _part(document, row, "action", vocabulary.actions, names)
        before.add(str(step.get("id")))


def _parts(document: Document, word: str, at: At, models: Models, names: Names) -> Iterator[Fault]:
    for row, _ in document.rows(at):
        yield from _part(document, row, word, models, names)


def _part(document: Document, at: At, word: str, models: Models, names: Names) -> Iterator[Fault]:
    """One guard, check or action: is it known, and do its parameters fit?"""
    name = document.sub((*at, word))
    given = document.sub((*at, "with"))
    empty: dict[str, Json] = {}
    params = empty if given is None else given
    for place, problem in check_templates(params, names):
        yield document.fault((*at, "with", *place), problem)
    if not isinstance(name, str) or not isinstance(params, Mapping):
        return
    if name not in models:
        message = f"there is no {word} `{name}`{did_you_mean(name, models)}"
        yield document.fault((*at, word), message)
        return
    try:
        models[name].model_validate(params)
    except ValidationError as error:
        for row in error.errors(include_url=False):
            if not _waits(params, row["loc"]):
                message = f"`{name}`: {sentence(row, models[name])}"
                key = row["type"] == "extra_forbidden"
                yield document.fault((*at, "with", *row["loc"]), message, key=key)


def _absent(document: Document, absent: Mapping[str, str]) -> Iterator[Fault]:
    """Words that are known, but that this daemon lacks the means for."""
    rows = [(at, "guard") for at, _ in document.rows((*_SPEC, "guards"))]
    rows += [(at, "check") for at, _ in document.rows((*_SPEC, "diagnose"))]
    for remedy, _ in document.rows((*_SPEC, "remedies")):
        rows += [(at, "action") for at, _ in document.rows((*remedy, "steps"))]
    for at, word in rows:
        name = document.sub((*at, word))
        if isinstance(name, str) and name in absent:
            yield document.fault((*at, word), f"`{name}` needs {absent[name]}")


def _waits(params: Json, loc: At) -> bool:
    """Is the mistake about a value that is known only once its template is filled in?

    It is judged again then. A rule over several values (an empty or partial `loc`) waits for
    all templates under it. Names of union branches stand in `loc` but not in the document.
    """
    value = params
    for part in loc:
        match value, part:
            case Mapping(), str() if part in value:
                value = value[part]
            case list(), int() if part < len(value):
                value = value[part]
            case _:
                continue
    missing = loc and isinstance(value, Mapping)
    return has_template(value) and not missing


def _condition(document: Document, at: At, names: Names) -> Iterator[Fault]:
    text = document.sub(at)
    if isinstance(text, str) and text:
        for problem in check_condition(text, names):
            yield document.fault(at, problem)


def _unique(document: Document, lists: list[At], key: str, what: str) -> Iterator[Fault]:
    seen: dict[str, Fault] = {}
    for at in lists:
        for row, part in document.rows(at):
            name, here = part.get(key), document.fault((*row, key), "")
            if not isinstance(name, str):
                continue
            if first := seen.get(name):
                message = f"the {what} `{name}` is there already, on line {first.line}"
                yield document.fault((*row, key), message)
            seen.setdefault(name, here)


def _ids(document: Document, at: At) -> Iterator[str]:
    return (str(row.get("id")) for _, row in document.rows(at))
