"""How a walk ends or is handed over: closed, escalated, rehearsed, watched."""

from healer.engine.case import Case, Tools
from healer.engine.freshness import is_gone
from healer.engine.runner import STOPPED
from healer.engine.verifier import see
from healer.kit.duration import format_duration
from healer.model.event import (
    Closed,
    Ending,
    Escalated,
    Rehearsed,
    RunStarted,
    StepFinished,
    StepStarted,
)
from healer.model.incident import Incident
from healer.model.outcome import Outcome, Result
from healer.model.playbook import Mode


class Ender:
    """The stages after which healer does nothing more, or not for now."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def watched(self, case: Case) -> bool:
        """Healed, and watched for a while. A fault that comes back begins a new round."""
        incident, now = case.incident, self._tools.clock.now()
        healed_at = incident.healed_at or now
        back = [one for one in incident.firing if one.starts_at > healed_at]
        if back:
            reason = f"{back[0].name} fires again since {back[0].starts_at:%H:%M:%S}"
            again = RunStarted(number=incident.run.number + 1, reason=reason)
            await self._tools.journal.decide(incident, again)
            return True
        if now < healed_at + case.playbook.verify.watch:
            return False
        if incident.firing and incident.escalated:
            return False
        if incident.firing:
            return await self.escalate(case, "verified, and yet the alert goes on firing")
        reason = f"stayed healed for {format_duration(case.playbook.verify.watch)}"
        return await self.close(incident, Ending.HEALED, reason)

    async def left_to_people(self, case: Case) -> bool:
        """A human has it: wait for the alert to resolve."""
        self.let_go(case.incident)
        denied = case.incident.denied
        if denied and not case.incident.escalated:
            return await self.escalate(case, f"{denied.by} said no: {denied.reason}")
        if case.incident.firing:
            return False
        return await self._over(case, Ending.RESOLVED, "the alert resolved")

    async def gone(self, case: Case) -> bool:
        """All its alerts resolved before anything was done in this round."""
        self.let_go(case.incident)
        reason = "the alert resolved"
        if is_gone(case.incident.run):
            reason += "; the fault was gone when healer looked: nothing was done"
        elif not case.incident.acted_at:
            reason += " before anything was done"
        return await self._over(case, Ending.RESOLVED, reason)

    async def rehearsed(self, case: Case) -> bool:
        """Nothing more may be done in this mode, or the branch only reports: say so, once."""
        self.let_go(case.incident)
        remedy = case.remedy
        if remedy is None or not remedy.steps:
            name = remedy.name if remedy else "no branch"
            because = remedy.because if remedy else ""
            return await self.escalate(case, f"{name}: {because or 'this branch only reports'}")
        steps = ", ".join(step.id for step in remedy.steps)
        mode = "dry-run" if case.mode is Mode.DRY_RUN else case.mode.value
        reason = f"{mode}, nothing was changed; would have run {remedy.name}: {steps}"
        await self._tools.journal.decide(case.incident, Rehearsed(reason=reason))
        return True

    async def after_rehearsal(self, case: Case) -> bool:
        """Wait for the alert to resolve; or for healer to be started in earnest, and begin anew."""
        if not case.incident.firing:
            return await self._over(case, Ending.REHEARSED, "the alert resolved")
        if self._tools.catalog.mode_of(case.playbook.mode) in (Mode.DRY_RUN, Mode.OBSERVE):
            return False
        reason = "healer rehearses no longer, and the alert is taken up anew"
        return await self.close(case.incident, Ending.REHEARSED, reason)

    async def escalate(self, case: Case, reason: str) -> bool:
        """Call a human. Healer acts no more on this incident."""
        self.let_go(case.incident)
        escalated, before = Escalated(reason=reason, to=case.playbook.escalate.to), case.incident
        await self._tools.journal.record(
            before.id,
            escalated,
            unless=lambda now: bool(now.closed) or now.escalated != before.escalated,
        )
        return True

    async def give_up(self, incident: Incident, reason: str) -> bool:
        """The same, for an incident whose service or playbook is not known here any more."""
        self.let_go(incident)
        if incident.escalated is None:
            await self._tools.journal.decide(incident, Escalated(reason=reason))
            return True
        if incident.firing:
            return False
        return await self.close(incident, Ending.RESOLVED, "the alert resolved")

    async def lose_sight(self, incident: Incident, started: StepStarted) -> bool:
        """Of a step that was under way and stands in no playbook here any more."""
        summary = f"{STOPPED}, and step {started.step} is in no playbook here to ask by"
        outcome = Outcome(result=Result.ABANDONED, summary=summary)
        finished = StepFinished(
            step=started.step, attempt=started.attempt, outcome=outcome, settled=True
        )
        await self._tools.journal.decide(incident, finished)
        return True

    async def _over(self, case: Case, ending: Ending, reason: str) -> bool:
        """Alertmanager calls it over, which decides. Where healer would not, people hear it.

        A scrape that failed resolves an alert as well, and a silence in the data is no cure.
        """
        clock, catalog = self._tools.clock, self._tools.catalog
        sight = await see(case.playbook, patient=case.patient, catalog=catalog, clock=clock)
        if sight.holds is False:
            reason += f"; and yet what would prove it healed does not hold: {sight.reason}"
        return await self.close(case.incident, ending, reason)

    async def close(self, incident: Incident, ending: Ending, reason: str) -> bool:
        """The last decision."""
        self.let_go(incident)
        await self._tools.journal.decide(incident, Closed(ending=ending, reason=reason))
        return False

    def let_go(self, incident: Incident) -> None:
        """Give the target back, and wake those who wait for it."""
        if incident.key is None:
            return
        for waiting in self._tools.claims.give_back(incident.key.target, incident.id):
            self._tools.wake(waiting)
