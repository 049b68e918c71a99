"""Judge, run, verify, take back: the part of the walk that may change the world."""

from dataclasses import replace
from datetime import datetime, timedelta

from healer.engine.case import Case, Tools
from healer.engine.choice import cannot_reconsider, reconsider
from healer.engine.claim import is_amid
from healer.engine.diagnosis import look
from healer.engine.ending import Ender
from healer.engine.freshness import is_stale
from healer.engine.judge import AGAIN, ask_again_at, judge
from healer.engine.runner import Runner, Task
from healer.engine.undoing import AFTERWARDS, Undoing, hopeless, may_retry
from healer.engine.verifier import watch
from healer.errors import PermanentError, TemporaryError
from healer.guard.contract import Plan
from healer.kit.duration import format_duration
from healer.model.effect import Effect, strongest
from healer.model.event import Diagnosed, Escalated, Judged, Moment, RunStarted, Verified
from healer.model.incident import Incident
from healer.model.outcome import Decision, Result, Verdict
from healer.model.playbook import Step
from healer.playbook.scope import build_scope

BREATH = timedelta(seconds=2)
"""Between two attempts of a step, where the world names no time."""


class Treatment:
    """The stages between a chosen branch and its verification."""

    def __init__(self, tools: Tools, ender: Ender) -> None:
        self._tools = tools
        self._ender = ender
        self._runner = Runner(journal=tools.journal, catalog=tools.catalog, clock=tools.clock)
        self._undoing = Undoing(self._runner)

    async def judge_run(self, case: Case) -> bool:
        """May the run begin? One remediation at a time on a target, whatever the playbook."""
        if holder := self._tools.claims.take(case.key.target, case.incident.id):
            reason = f"{holder} is working on {case.key.target}"
            return await self.hold(case, guard="target", reason=reason)
        return await self._obey(case, await self._ask(case, None))

    async def run_step(self, case: Case) -> bool:
        """Judged again, then done."""
        step = case.next_step
        if step is None:
            return True
        if holder := self._tools.claims.take(case.key.target, case.incident.id):
            reason = f"{holder} is working on {case.key.target}"
            return await self.hold(case, guard="target", reason=reason, step=step)
        try:
            task = await self._runner.prepare(
                step, case.incident, case.patient, scope=case.scope, dry_run=case.dry_run
            )
        except (TemporaryError, TimeoutError) as error:
            reason = str(error) or f"no answer within {format_duration(step.timeout)}"
            return await self.hold(case, guard="world", reason=reason, step=step)
        except PermanentError as error:
            return await self._failed(case.incident, f"{step.id} cannot be done: {error}")
        judged = await self._ask(case, step)
        if judged.decision is not Decision.ALLOW:
            return await self._obey(case, judged)
        return await self._act(case, task, judged)

    async def _act(self, case: Case, task: Task, judged: Judged) -> bool:
        """Upon evidence that is still good; the first step's was looked at before its run."""
        begun = case.incident.run.started and not case.dry_run
        if begun and is_stale(case.incident, self._tools.clock.now()):
            return await self._look_again(case, task.step)
        incident = await self._runner.run(
            task, case.incident, case.patient, dry_run=case.dry_run, judged=judged
        )
        return await self._after_step(task.step, incident)

    async def _look_again(self, case: Case, step: Step) -> bool:
        """Time has passed since the last step: before more is done, is the fault still there?"""
        playbook, catalog = case.playbook, self._tools.catalog
        findings = await look(
            playbook.diagnose, patient=case.patient, scope=case.scope, catalog=catalog
        )
        if blind := cannot_reconsider(playbook, findings):
            reason = f"whether the fault is still there cannot be seen: {blind}"
            return await self.hold(case, guard="world", reason=reason, step=step)
        now = self._tools.clock.now()
        scope = build_scope(case.incident, case.service, now=now, findings=findings)
        decided = reconsider(replace(case, scope=scope))
        if any(isinstance(event, Escalated) for event in decided):
            self._ender.let_go(case.incident)
        await self._tools.journal.decide(case.incident, Diagnosed(findings=findings), *decided)
        return True

    async def settle(self, case: Case) -> bool:
        """Healer stopped in the middle of a step: ask the world what came of it."""
        started = case.incident.run.in_flight
        if started is None:
            return True
        step = _begun(case)
        if step is None:
            await self._ender.escalate(case, f"step {started.step} is in no playbook here")
            return False
        self._tools.claims.take(case.key.target, case.incident.id)
        incident = await self._runner.settle(step, started, case.incident, case.patient)
        if started.undoes is not None:
            return True
        return await self._after_step(step, incident)

    def to_undo(self, case: Case) -> bool:
        """Is there anything of this round to take back, that can be?"""
        return self._undoing.next(case) is not None

    def to_put_back(self, case: Case) -> bool:
        """Is anything lent still?"""
        return self._undoing.next(case, AFTERWARDS) is not None

    def can_settle(self, case: Case) -> bool:
        """Is the step in flight one that this playbook knows?"""
        return _begun(case) is not None

    async def verify(self, case: Case) -> bool:
        """ "Ran" is not "healed": look until the playbook's condition holds and stays."""
        seen = await watch(
            case.playbook,
            patient=case.patient,
            catalog=self._tools.catalog,
            clock=self._tools.clock,
            wanted=lambda: self._is_wanted(case),
            blind=was_blind(case.incident),
        )
        if seen is None:
            return True
        await self._tools.journal.record(case.incident.id, seen)
        if isinstance(seen, Verified) and seen.healed:
            self._ender.let_go(case.incident)
        return True

    async def after_failure(self, case: Case) -> bool:
        """Take back what can be taken back, newest first; then another round, or a human."""
        if task := self._undoing.next(case):
            return await self._take_back(task, case) is not None
        run = case.incident.run
        why = run.after.reason if run.after else "not healed"
        if hopeless(case.incident):
            return await self._ender.escalate(case, why)
        if left := self._undoing.left(case):
            return await self._ender.escalate(case, f"{why}; and {left}")
        if case.incident.failed_runs >= case.playbook.escalate.failures:
            rounds = f"{case.incident.failed_runs} rounds did not heal"
            return await self._ender.escalate(case, f"{rounds}; the last: {why}")
        self._ender.let_go(case.incident)
        again = RunStarted(number=run.number + 1, reason=f"round {run.number} did not heal: {why}")
        await self._tools.journal.decide(case.incident, again)
        return True

    async def put_back(self, case: Case) -> bool:
        """The fault stayed away for the whole watch: what was lent is taken back."""
        task = self._undoing.next(case, AFTERWARDS)
        if task is None:
            return True
        incident = await self._take_back(task, case)
        self._ender.let_go(case.incident)
        if incident is None:
            return False
        last = incident.run.last
        if last is None or last.result is Result.SUCCEEDED or may_retry(task, incident):
            return True
        why = f"healed, but {task.step.id} {last.result.value}: {last.summary}"
        return await self._ender.escalate(case, why)

    async def _take_back(self, task: Task, case: Case) -> Incident | None:
        """An effect like any other: on a target that is free, and while nobody has said stop."""
        if holder := self._tools.claims.take(case.key.target, case.incident.id):
            reason = f"{holder} is working on {case.key.target}"
            await self.hold(case, guard="target", reason=reason, step=task.step)
            return None
        judged = await self._ask(case, task.step, taking_back=True)
        if judged.decision is not Decision.ALLOW:
            await self._obey(case, judged)
            return None
        incident = await self._runner.run(
            task, case.incident, case.patient, dry_run=case.dry_run, judged=judged
        )
        if may_retry(task, incident):
            last = incident.run.last
            await self._tools.clock.sleep((last.retry_after if last else None) or BREATH)
        return incident

    async def hold(self, case: Case, *, guard: str, reason: str, step: Step | None = None) -> bool:
        """Not now, and why. Asked again soon; the incident's escalation bounds the wait."""
        verdict = Verdict(guard=guard, decision=Decision.HOLD, reason=reason)
        name = step.id if step else None
        judged = Judged(step=name, decision=Decision.HOLD, verdicts=(verdict,))
        return await self._obey(case, judged)

    def _is_wanted(self, case: Case) -> bool:
        incident = self._tools.journal.get(case.incident.id)
        return incident is not None and not incident.closed and not gave_up_looking(incident)

    def again(self) -> datetime:
        """When to look again after a hold that names no time."""
        return self._tools.clock.now() + AGAIN

    async def _ask(self, case: Case, step: Step | None, *, taking_back: bool = False) -> Judged:
        """What the guards say of the run, or of one step."""
        actions = self._tools.catalog.actions
        steps = case.remedy.steps if case.remedy else ()
        effects = {one.action: actions[one.action].effect for one in steps}
        plan = Plan(
            incident=case.incident,
            key=case.key,
            service=case.service,
            playbook=case.playbook,
            effect=strongest(effects.values()),
            privileged=frozenset(
                name for name, effect in effects.items() if effect is Effect.PRIVILEGED
            ),
            step=step,
            others=self._tools.journal.beside(case.incident.id, case.key.target),
            busy=self._tools.claims.busy(apart=case.key.target),
            taking_back=taking_back,
        )
        judged = await judge(
            plan, catalog=self._tools.catalog, clock=self._tools.clock, scope=case.scope
        )
        if judged.decision is Decision.ALLOW and not (case.dry_run or taking_back):
            self._tools.claims.begin(case.key.target)  # at once: others are judged meanwhile
        return judged

    async def _obey(self, case: Case, judged: Judged) -> bool:
        """Write down what was said, and follow it. False: wait."""
        incident = case.incident
        if not _said_already(incident.run.judged, judged):
            incident = await self._tools.journal.decide(incident, judged)
        if judged.decision is Decision.ALLOW:
            return True
        if not is_amid(incident):
            self._ender.let_go(incident)
        if judged.decision is Decision.HOLD:
            self._tools.wake_at(incident.id, ask_again_at(judged, self._tools.clock.now()))
        if judged.decision is Decision.DENY and incident.escalated is None:
            await self._ender.escalate(case, _reasons(judged, Decision.DENY))
        return False

    async def _after_step(self, step: Step, incident: Incident) -> bool:
        last = incident.run.last
        if step.id in incident.run.done or last is None:
            return True
        if hopeless(incident) or incident.run.failures.get(step.id, 0) >= step.attempts:
            return await self._failed(incident, f"{step.id} {last.result.value}: {last.summary}")
        await self._tools.clock.sleep(last.retry_after or BREATH)
        return True

    async def _failed(self, incident: Incident, reason: str) -> bool:
        verified = Verified(moment=Moment.AFTER, healed=False, reason=reason)
        await self._tools.journal.record(incident.id, verified, unless=lambda now: bool(now.closed))
        return True


def _begun(case: Case) -> Step | None:
    """The step in flight, or the one that it takes back."""
    started = case.incident.run.in_flight
    return case.find_step(started.undoes or started.step) if started else None


def was_blind(incident: Incident) -> bool:
    """Is it held because something that healer needs to see cannot be seen?"""
    judged = incident.run.judged
    return judged is not None and any(one.guard == "evidence" for one in judged.verdicts)


def gave_up_looking(incident: Incident) -> bool:
    """Nobody waits for a verification that cannot see once people have taken over."""
    return incident.escalated is not None and was_blind(incident)


def _said_already(before: Judged | None, now: Judged) -> bool:
    """The same refusal for the same reasons is written once, however often it is asked."""
    if before is None or now.decision is Decision.ALLOW or before.step != now.step:
        return False
    return _reasons(before, now.decision) == _reasons(now, now.decision)


def _reasons(judged: Judged, decision: Decision) -> str:
    said = (one for one in judged.verdicts if one.decision is decision)
    return "; ".join(f"{one.guard}: {one.reason}" for one in said)
