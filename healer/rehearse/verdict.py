"""Compares what a case expects with what came, and says each difference in a sentence."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from healer.model.event import Chosen, Escalated, Judged, RunStarted, StepStarted
from healer.model.incident import Incident, IncidentState
from healer.model.outcome import Decision
from healer.playbook.vocabulary import Vocabulary
from healer.rehearse.schema import CasePart, ExpectPart, RefusalPart
from healer.rehearse.stage import Account, Story


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What was expected, and what came instead."""

    about: str
    expected: str
    came: str

    def __str__(self) -> str:
        return f"{self.about}: expected {self.expected}; came {self.came}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """A step that was begun, with its parameters as the playbook gave them."""

    step: str
    action: str
    params: dict[str, Any]


def differences(case: CasePart, account: Account, vocabulary: Vocabulary) -> list[Difference]:
    """All of them; none where the case came true."""
    wanted, stories = case.expect, account.stories
    if len(wanted) != len(stories):
        came = ", ".join(_label(story.incident) for story in stories) or "none"
        return [Difference(about="incidents", expected=str(len(wanted)), came=came)]
    found: list[Difference] = []
    for number, (expected, story) in enumerate(zip(wanted, stories, strict=True), 1):
        prefix = f"incident {number}, " if len(wanted) > 1 else ""
        for about, right, came in _compare(expected, story, account, vocabulary):
            found.append(Difference(about=prefix + about, expected=right, came=came))
    return found


def _compare(
    expected: ExpectPart, story: Story, account: Account, vocabulary: Vocabulary
) -> Iterator[tuple[str, str, str]]:
    incident = story.incident
    playbook = incident.matched.playbook if incident.matched else None
    if expected.playbook and expected.playbook != playbook:
        yield "playbook", expected.playbook, playbook or "none"
    chosen = _chosen(story)
    if expected.branch != (chosen.remedy if chosen else None):
        came = f"{chosen.remedy} ({chosen.because})" if chosen else "none was chosen"
        yield "branch", expected.branch or "none", came
    yield from _steps(expected, _done(story, account), vocabulary)
    yield from _refusals(expected.refusals, _refused(story))
    yield from _called(expected.called, incident.escalated)
    ending, reason = _ending(incident)
    if expected.ending != ending:
        yield "ending", expected.ending, f"{ending} ({reason})" if reason else ending
    elif expected.reason not in reason:
        yield "reason of the ending", f"…{expected.reason}…", reason or "none"


def _label(incident: Incident) -> str:
    name = incident.matched.playbook if incident.matched else "no playbook"
    where = incident.key.target if incident.key else "nowhere"
    return f"{name} on {where}"


def _chosen(story: Story) -> Chosen | None:
    """The last branch that was taken."""
    events = (entry.event for entry in reversed(story.entries))
    return next((event for event in events if isinstance(event, Chosen)), None)


def _done(story: Story, account: Account) -> list[_Done]:
    """Every attempt, in order; a step that is taken back has no other parameters than its own."""
    number, done = 1, list[_Done]()
    for event in (entry.event for entry in story.entries):
        if isinstance(event, RunStarted):
            number = event.number
        if isinstance(event, StepStarted):
            key = f"{story.incident.id}.{number}.{event.step}"
            rendered = account.world.rendered.get(key)
            params = dict(event.params) if rendered is None else plain(rendered)
            done.append(_Done(step=event.step, action=event.action, params=params))
    return done


def plain(params: BaseModel) -> dict[str, Any]:
    """Parameters as the timeline holds them."""
    return params.model_dump(mode="json", by_alias=True)


def _steps(
    expected: ExpectPart, done: Sequence[_Done], vocabulary: Vocabulary
) -> Iterator[tuple[str, str, str]]:
    named = [_named(one) for one in expected.steps]
    if [name for name, _ in named] != [one.step for one in done]:
        right = ", ".join(name for name, _ in named) or "none"
        yield "steps", right, ", ".join(one.step for one in done) or "none"
        return
    for (name, params), one in zip(named, done, strict=True):
        if params is None:
            continue
        wanted = plain(vocabulary.actions[one.action].model_validate(params))
        if wanted != one.params:
            yield f"step {name}", _shown(wanted), _shown(one.params)


def _named(step: str | dict[str, dict[str, Any]]) -> tuple[str, dict[str, Any] | None]:
    return (step, None) if isinstance(step, str) else next(iter(step.items()))


def _shown(params: dict[str, Any]) -> str:
    said = (f"{name}: {value}" for name, value in params.items() if value is not None)
    return f"{{{', '.join(said)}}}"


def _refused(story: Story) -> dict[tuple[str, str], str]:
    """The first reason of each guard for each of its refusals, in order."""
    refused: dict[tuple[str, str], str] = {}
    for event in (entry.event for entry in story.entries):
        for verdict in event.verdicts if isinstance(event, Judged) else ():
            if verdict.decision is not Decision.ALLOW:
                refused.setdefault((verdict.guard, verdict.decision.value), verdict.reason)
    return refused


def _refusals(
    expected: Sequence[RefusalPart], refused: dict[tuple[str, str], str]
) -> Iterator[tuple[str, str, str]]:
    rest = dict(refused)
    for part in expected:
        reason = rest.pop((part.guard, part.decision), None)
        right = f"{part.guard} says {part.decision}: …{part.reason}…"
        if reason is None:
            yield "refusal", right, _told(refused)
        elif part.reason not in reason:
            yield "refusal", right, reason
    if rest:
        yield "refusals", "no other", _told(rest)


def _told(refused: dict[tuple[str, str], str]) -> str:
    said = (f"{guard} says {how}: {reason}" for (guard, how), reason in refused.items())
    return "; ".join(said) or "none"


def _called(expected: str | None, came: Escalated | None) -> Iterator[tuple[str, str, str]]:
    if expected is None and came is not None:
        yield "a human", "not called", f"called: {came.reason}"
    elif expected is not None and came is None:
        yield "a human", f"called: …{expected}…", "not called"
    elif expected is not None and came is not None and expected not in came.reason:
        yield "a human", f"called: …{expected}…", f"called: {came.reason}"


def _ending(incident: Incident) -> tuple[str, str]:
    if incident.closed:
        return incident.closed.ending.value, incident.closed.reason
    if incident.rehearsed:
        return incident.state.value, incident.rehearsed.reason
    if incident.unmatched:
        return "unmatched", incident.unmatched.reason
    reason = incident.escalated.reason if incident.escalated else ""
    judged = incident.run.judged
    if incident.state is IncidentState.HELD and judged:
        reason = "; ".join(one.reason for one in judged.verdicts if one.decision is Decision.HOLD)
    return incident.state.value, reason
