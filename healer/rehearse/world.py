"""The world of a case: what checks see, what comes of steps, and what Alertmanager knows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from healer.action.contract import Action, StepContext, Undo
from healer.check.contract import CheckContext
from healer.errors import PermanentError, TemporaryError
from healer.kit.clock import Clock
from healer.model.alert import Alert, AlertGroup, AlertStatus, Fingerprint, GroupKey
from healer.model.effect import Effect, Permission
from healer.model.outcome import Finding, Outcome, Result
from healer.rehearse.schema import AlertPart, Answers, OutcomePart

UNKNOWN = "unknown"
"""In place of evidence: why the check cannot look."""

RESERVED = frozenset({"holds", "summary"})
"""Beside the evidence: what else a finding says."""


@dataclass(kw_only=True)
class World:
    """What is the case now. `complaints` is what the case forgot to say."""

    clock: Clock
    answers: Answers
    outcomes: Mapping[str, Sequence[OutcomePart]]
    alerts: dict[Fingerprint, Alert] = field(default_factory=dict[Fingerprint, Alert])
    silenced: bool = False
    rendered: dict[str, BaseModel] = field(default_factory=dict[str, BaseModel])
    complaints: list[str] = field(default_factory=list[str])

    def fire(self, parts: Sequence[AlertPart]) -> AlertGroup:
        """These begin to fire; returns how Alertmanager tells it."""
        fired = [self._alert(part) for part in parts]
        self.alerts.update({alert.fingerprint: alert for alert in fired})
        return _group(fired)

    def resolve(self, names: Sequence[str] | None) -> AlertGroup:
        """Those of these names, or all, are over; returns how Alertmanager tells it."""
        over = [one for one in self.alerts.values() if names is None or one.name in names]
        for alert in over:
            del self.alerts[alert.fingerprint]
        return _group([_resolved(alert, self.clock) for alert in over])

    def outcome(self, step: str, attempt: int) -> OutcomePart:
        """What comes of it; the last of several stays."""
        known = self.outcomes.get(step) or (OutcomePart(),)
        return known[min(attempt, len(known)) - 1]

    async def silenced_by(self) -> Mapping[Fingerprint, Sequence[str]]:
        """What the guards ask Alertmanager for."""
        ids = ("of-the-case",) if self.silenced else ()
        return dict.fromkeys(self.alerts, ids)

    def _alert(self, part: AlertPart) -> Alert:
        return Alert(
            fingerprint=Fingerprint(json.dumps(part.labels, sort_keys=True)),
            status=AlertStatus.FIRING,
            labels=part.labels,
            annotations=part.annotations,
            starts_at=self.clock.now(),
        )


class ScriptedCheck:
    """Sees what the case says, under the parameters of the real check of that name."""

    def __init__(self, name: str, params: type[BaseModel], kinds: Mapping[str, Any], world: World):
        self.name = name
        self.params = params
        self.evidence = kinds
        self._world = world

    def permissions(self, params: BaseModel, *, namespace: str) -> Sequence[Permission]:
        """It asks nobody."""
        return ()

    async def look(self, params: BaseModel, ctx: CheckContext) -> Finding:
        """The answer of now; a question that the case has no answer to is a fault of the case."""
        answer = self._world.answers.get(ctx.id)
        if answer is None:
            complaint = f"check `{ctx.id}` was asked, and `world` does not say what it sees"
            self._world.complaints.append(complaint)
            raise PermanentError(complaint)
        if UNKNOWN in answer:
            raise TemporaryError(str(answer[UNKNOWN]))
        evidence = {
            name: _kept(value, self.evidence.get(name))
            for name, value in answer.items()
            if name not in RESERVED
        }
        said = ", ".join(f"{name}={value}" for name, value in evidence.items())
        return Finding(
            check=ctx.id,
            holds=bool(answer.get("holds", True)),
            summary=str(answer.get("summary", said)),
            evidence=evidence,
        )


class ScriptedAction:
    """The real action, but for what touches the world: of that comes what the case says."""

    def __init__(self, real: Action[Any], world: World) -> None:
        self._real = real
        self._world = world

    @property
    def name(self) -> str:
        """Of the real one."""
        return self._real.name

    @property
    def effect(self) -> Effect:
        """Of the real one."""
        return self._real.effect

    @property
    def params(self) -> type[BaseModel]:
        """Of the real one."""
        return self._real.params

    def permissions(self, params: BaseModel, *, namespace: str) -> Sequence[Permission]:
        """Of the real one."""
        return self._real.permissions(params, namespace=namespace)

    async def prepare(self, params: BaseModel, ctx: StepContext) -> BaseModel:
        """Final is what the case says; without a word of it, what the playbook says."""
        self._world.rendered.setdefault(ctx.key, params)
        part = self._world.outcome(_step(ctx), ctx.attempt)
        if part.result == "impossible":
            raise PermanentError(part.summary or "it cannot be done")
        return self.params.model_validate({**_plain(params), **part.prepared})

    async def run(self, params: BaseModel, ctx: StepContext) -> Outcome:
        """Takes its time, and ends as the case says."""
        part = self._world.outcome(_step(ctx), ctx.attempt)
        if ctx.dry_run:
            return Outcome(result=Result.SKIPPED, summary=f"would run {self.name}")
        await self._world.clock.sleep(part.takes)
        if part.result == "refused":
            raise PermanentError(part.summary or "refused")
        if part.result == "lost":
            raise TemporaryError(part.summary or "the answer was lost")
        result = Result.SUCCEEDED if part.result == "succeeded" else Result.FAILED
        return _outcome(part, result)

    async def settle(self, params: BaseModel, ctx: StepContext) -> Outcome | None:
        """What the world is said to answer."""
        part = self._world.outcome(_step(ctx), ctx.attempt)
        if part.settled == "unknown":
            return None
        return _outcome(part, Result(part.settled))

    def undo(self, params: BaseModel, outcome: Outcome) -> Undo | None:
        """Of the real one: it depends on what was prepared."""
        return self._real.undo(params, outcome)


def _kept(value: Any, kind: Any) -> Any:
    """A whole number where the real check would say 12.0: CEL tells the two apart."""
    return float(value) if kind is float else value


def _step(ctx: StepContext) -> str:
    return ctx.key.rpartition(".")[2]


def _plain(params: BaseModel) -> dict[str, Any]:
    return params.model_dump(mode="json", by_alias=True)


def _outcome(part: OutcomePart, result: Result) -> Outcome:
    summary = part.summary or f"{result.value}, says the case"
    return Outcome(result=result, summary=summary, evidence=part.evidence)


def _resolved(alert: Alert, clock: Clock) -> Alert:
    return Alert(
        fingerprint=alert.fingerprint,
        status=AlertStatus.RESOLVED,
        labels=alert.labels,
        annotations=alert.annotations,
        starts_at=alert.starts_at,
        ends_at=clock.now(),
    )


def _group(alerts: Sequence[Alert]) -> AlertGroup:
    return AlertGroup(key=GroupKey("{}:{}"), receiver="healer", alerts=tuple(alerts))
