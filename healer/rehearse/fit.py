"""Whether cases fit the playbooks they are about: names are there, values of their kind."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from healer.errors import Fault
from healer.model.outcome import ANY_NAME
from healer.model.playbook import Playbook, Step, Undo
from healer.playbook.compose import At
from healer.playbook.document import Document
from healer.playbook.nearest import did_you_mean
from healer.playbook.sentence import sentence
from healer.playbook.vocabulary import Vocabulary
from healer.rehearse.schema import CaseDocument, CasePart, ExpectPart
from healer.rehearse.world import RESERVED, UNKNOWN

_ENGINE = frozenset({"evidence", "target", "world"})
"""Who may hold a run beside the guards: what cannot be seen, or another incident's claim."""


def check_cases(
    document: Document,
    parsed: CaseDocument,
    playbooks: Sequence[Playbook],
    vocabulary: Vocabulary,
) -> Iterator[Fault]:
    """Every fault of every case, at its place."""
    known = Known(playbooks, vocabulary)
    names: set[str] = set()
    for index, case in enumerate(parsed.cases):
        at: At = ("cases", index)
        if case.name in names:
            yield document.fault((*at, "name"), f"the case `{case.name}` is there already")
        names.add(case.name)
        for place, message, key in known.problems(case):
            yield document.fault((*at, *place), message, key=key)


Problem = tuple[At, str, bool]
"""Where it is inside the case, what is wrong, and whether with the key itself."""


class Known:
    """The names that a case may use."""

    def __init__(self, playbooks: Sequence[Playbook], vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._checks = {spec.id: spec.check for one in playbooks for spec in one.diagnose}
        self._playbooks = frozenset(one.name for one in playbooks)
        self._branches = frozenset(remedy.name for one in playbooks for remedy in one.remedies)
        steps = [step for one in playbooks for remedy in one.remedies for step in remedy.steps]
        self._steps = {**{str(step.id): step for step in steps}, **dict(_undone(steps))}
        self._guards = vocabulary.guards.keys() | _ENGINE

    def problems(self, case: CasePart) -> Iterator[Problem]:
        """Everything wrong with one case."""
        yield from self._world(("world",), case.world)
        for step in case.steps:
            yield from self._name(("steps", step), "step", step, self._steps, key=True)
        for index, part in enumerate(case.then):
            if part.after is not None:
                at: At = ("then", index, "after")
                yield from self._name(at, "step", part.after, self._steps)
            yield from self._world(("then", index, "world"), part.world)
        for index, expected in enumerate(case.expect):
            yield from self._expected(("expect", index), expected)

    def _world(self, at: At, world: Mapping[str, Mapping[str, Any]]) -> Iterator[Problem]:
        for name, answer in world.items():
            yield from self._name((*at, name), "check", name, self._checks, key=True)
            kinds = self._vocabulary.evidence.get(self._checks.get(name, ""))
            if kinds is not None and UNKNOWN not in answer:
                yield from _evidence((*at, name), self._checks[name], answer, kinds)

    def _expected(self, at: At, expected: ExpectPart) -> Iterator[Problem]:
        if expected.playbook is not None:
            place = (*at, "playbook")
            yield from self._name(place, "playbook", expected.playbook, self._playbooks)
        if expected.branch is not None:
            yield from self._name((*at, "branch"), "remedy", expected.branch, self._branches)
        for index, part in enumerate(expected.refusals):
            place = (*at, "refusals", index, "guard")
            yield from self._name(place, "guard", part.guard, self._guards)
        for index, step in enumerate(expected.steps):
            yield from self._step((*at, "steps", index), step)

    def _step(self, at: At, step: str | Mapping[str, Mapping[str, Any]]) -> Iterator[Problem]:
        if isinstance(step, str):
            yield from self._name(at, "step", step, self._steps)
            return
        if len(step) != 1:
            yield at, "one step an entry: `- evict` or `- evict: {older_than: 7d}`", False
            return
        ((name, params),) = step.items()
        yield from self._name((*at, name), "step", name, self._steps, key=True)
        known = self._steps.get(name)
        if known is not None:
            yield from _params((*at, name), params, known.action, self._vocabulary.actions)

    def _name(
        self, at: At, what: str, name: str, known: Iterable[str], *, key: bool = False
    ) -> Iterator[Problem]:
        if name not in known:
            yield at, f"the playbook has no {what} `{name}`{did_you_mean(name, known)}", key


def _undone(steps: Iterable[Step]) -> Iterator[tuple[str, Step]]:
    """Taking a step back is a step of its own in the timeline."""
    return ((f"undo-{step.id}", step) for step in steps if step.undo is not Undo.NEVER)


def _evidence(
    at: At, check: str, answer: Mapping[str, Any], kinds: Mapping[str, Any]
) -> Iterator[Problem]:
    for name, value in answer.items():
        if name in RESERVED:
            continue
        kind = kinds.get(name, kinds.get(ANY_NAME))
        if kind is None:
            message = f"`{check}` has no evidence `{name}`{did_you_mean(name, kinds)}"
            yield (*at, name), message, True
            continue
        try:
            TypeAdapter(kind).validate_python(value, strict=True)
        except ValidationError as error:
            row = error.errors(include_url=False)[0]
            yield (*at, name), f"`{check}`: `{name}` {sentence(row, BaseModel)}", False


def _params(
    at: At, params: Mapping[str, Any], action: str, models: Mapping[str, type[BaseModel]]
) -> Iterator[Problem]:
    try:
        models[action].model_validate(params)
    except ValidationError as error:
        for row in error.errors(include_url=False):
            key = row["type"] == "extra_forbidden"
            yield (*at, *row["loc"]), f"`{action}`: {sentence(row, models[action])}", key
