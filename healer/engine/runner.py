"""One step: written down, done, written down. What came of it is asked of the world if unsure."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from healer.action.contract import Action, StepContext
from healer.engine.catalog import Catalog
from healer.engine.diagnosis import Patient
from healer.engine.journal import Journal
from healer.errors import HealerError, PermanentError, TemporaryError, TimelineError
from healer.kit.clock import Clock
from healer.kit.duration import format_duration
from healer.kit.retry import delays
from healer.model.effect import Effect
from healer.model.event import Judged, StepFinished, StepStarted
from healer.model.incident import Incident
from healer.model.outcome import Decision, Json, Outcome, Result, Verdict
from healer.model.playbook import Step, StepId
from healer.playbook.render import bind
from healer.playbook.scope import Scope

SETTLE_FOR = timedelta(minutes=10)
"""How long to go on asking what came of a step while the world does not answer."""

UNDO_ATTEMPTS = 3
"""Taking back is tried so often at the least, whatever the step itself is worth: what is left in
place is a change that nobody asked for any more."""

STOPPED = "healer stopped while it ran"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A step made ready: the action, and parameters with nothing relative left in them."""

    step: Step
    action: Action[Any]
    params: BaseModel
    undoes: StepId | None = None


class Runner:
    """Executes steps. Only it and `remediation` append to the timeline of a run."""

    def __init__(self, *, journal: Journal, catalog: Catalog, clock: Clock) -> None:
        self._journal = journal
        self._catalog = catalog
        self._clock = clock

    async def prepare(
        self, step: Step, incident: Incident, patient: Patient, *, scope: Scope, dry_run: bool
    ) -> Task:
        """Fill in the templates, check the parameters, make them final. Changes nothing.

        A further attempt takes the parameters that the first one made final: "+2" upon a world
        where it may already have happened would be four.
        """
        action = self._catalog.actions[step.action]
        earlier = _first_attempt(step, incident)
        params = (
            action.params.model_validate(earlier.params)
            if earlier
            else bind(step.params, action.params, scope)
        )
        ctx = self._context(step, incident, patient, dry_run=dry_run)
        async with asyncio.timeout(step.timeout.total_seconds()):
            final = await action.prepare(params, ctx)
        return Task(step=step, action=action, params=final)

    async def run(
        self,
        task: Task,
        incident: Incident,
        patient: Patient,
        *,
        dry_run: bool,
        judged: Judged | None = None,
    ) -> Incident:
        """One attempt. `decide` guards its beginning; its end is a fact and is always recorded.

        The verdict that allowed it is written together with its start.
        """
        attempt = incident.run.failures.get(task.step.id, 0) + 1
        started = StepStarted(
            step=task.step.id,
            action=task.step.action,
            attempt=attempt,
            params=_plain(task.params),
            dry_run=dry_run,
            undoes=task.undoes,
            touches=task.action.effect is not Effect.NONE,
        )
        begun = (started,) if judged is None else (judged, started)
        incident = await self._journal.decide(incident, *begun)
        ctx = self._context(task.step, incident, patient, dry_run=dry_run, attempt=attempt)
        outcome = await self._attempt(task, ctx)
        finished = StepFinished(step=task.step.id, attempt=attempt, outcome=outcome)
        return await self._journal.record(incident.id, finished)

    async def settle(
        self, step: Step, started: StepStarted, incident: Incident, patient: Patient
    ) -> Incident:
        """After a crash: find out what came of the step in flight, and write that down."""
        action = self._catalog.actions[started.action]
        params = action.params.model_validate(started.params)
        task = Task(step=step, action=action, params=params, undoes=started.undoes)
        ctx = self._context(
            step, incident, patient, dry_run=started.dry_run, attempt=started.attempt
        )
        outcome = await self._ask_world(task, ctx, STOPPED)
        finished = StepFinished(
            step=started.step, attempt=started.attempt, outcome=outcome, settled=True
        )
        return await self._journal.record(incident.id, finished)

    def undo_of(self, step: Step, started: StepStarted, outcome: Outcome) -> Task | None:
        """How to take a finished step back, if it can be."""
        action = self._catalog.actions[started.action]
        undo = action.undo(action.params.model_validate(started.params), outcome)
        if undo is None:
            return None
        reverse = Step(
            id=StepId(f"undo-{step.id}"),
            action=undo.action,
            timeout=step.timeout,
            attempts=max(step.attempts, UNDO_ATTEMPTS),
            path=step.path,
        )
        return Task(
            step=reverse,
            action=self._catalog.actions[undo.action],
            params=undo.params,
            undoes=step.id,
        )

    async def _attempt(self, task: Task, ctx: StepContext) -> Outcome:
        try:
            async with asyncio.timeout(task.step.timeout.total_seconds()):
                return await task.action.run(task.params, ctx)
        except TimeoutError:
            return await self._ask_world(
                task,
                ctx,
                f"no answer within {format_duration(task.step.timeout)}",
                otherwise=Result.TIMED_OUT,
            )
        except TemporaryError as error:
            outcome = await self._ask_world(task, ctx, str(error))
            return replace(outcome, retry_after=outcome.retry_after or error.retry_after)
        except PermanentError as error:
            return Outcome(result=Result.FAILED, summary=str(error), evidence={"final": True})
        except (asyncio.CancelledError, TimelineError):
            raise
        except Exception as error:  # noqa: BLE001 - an action's fault must end as an outcome
            return await self._ask_world(task, ctx, f"{type(error).__name__}: {error}")

    async def _ask_world(
        self, task: Task, ctx: StepContext, why: str, *, otherwise: Result = Result.FAILED
    ) -> Outcome:
        """What came of it? Unknown and disruptive is never tried again; harmless may be."""
        try:
            outcome = await self._settle_patiently(task, ctx)
        except TimelineError:
            raise  # that the record fails says nothing about the world
        except Exception as error:  # noqa: BLE001 - a fault in asking leaves it unknown as well
            outcome = None
            what = (
                str(error) if isinstance(error, HealerError) else f"{type(error).__name__}: {error}"
            )
            why = f"{why}; and the world does not tell what came of it: {what}"
        if outcome is not None:
            summary = f"{outcome.summary}; asked of the world, for {why}"
            return outcome if why == STOPPED else replace(outcome, summary=summary)
        if ctx.dry_run or task.action.effect in (Effect.NONE, Effect.REVERSIBLE):
            return Outcome(result=otherwise, summary=why)
        summary = f"{why}; whether it took effect is not known, so it is not tried again"
        return Outcome(result=Result.ABANDONED, summary=summary)

    async def _settle_patiently(self, task: Task, ctx: StepContext) -> Outcome | None:
        pauses = delays(first=timedelta(seconds=1), cap=timedelta(seconds=30))
        give_up = self._clock.now() + SETTLE_FOR
        said = False
        while True:
            try:
                async with asyncio.timeout(task.step.timeout.total_seconds()):
                    return await task.action.settle(task.params, ctx)
            except (TemporaryError, TimeoutError) as error:
                if self._clock.now() >= give_up:
                    raise PermanentError(str(error) or "no answer") from error
                if not said:
                    await self._say_unknown(task, ctx, str(error) or "no answer")
                    said = True
                await self._clock.sleep(next(pauses))

    async def _say_unknown(self, task: Task, ctx: StepContext, why: str) -> None:
        reason = f"what came of {task.step.id} is not known yet: {why}"
        verdict = Verdict(guard="world", decision=Decision.HOLD, reason=reason)
        held = Judged(step=None, decision=Decision.HOLD, verdicts=(verdict,))
        await self._journal.record(ctx.incident, held)

    def _context(
        self,
        step: Step,
        incident: Incident,
        patient: Patient,
        *,
        dry_run: bool,
        attempt: int = 1,
    ) -> StepContext:
        return StepContext(
            incident=incident.id,
            service=patient.service,
            target=patient.target,
            key=f"{incident.id}.{incident.run.number}.{step.id}",
            attempt=attempt,
            deadline=self._clock.now() + step.timeout,
            dry_run=dry_run,
        )


def _first_attempt(step: Step, incident: Incident) -> StepStarted | None:
    """How this step was begun earlier in this round, if it was."""
    tries = (one for one in incident.run.started if one.step == step.id and one.undoes is None)
    return next(tries, None)


def _plain(params: BaseModel) -> Mapping[str, Json]:
    return params.model_dump(mode="json", by_alias=True)
