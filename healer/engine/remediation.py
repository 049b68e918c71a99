"""The walk of one alert. Read this first: every stage of a remediation is named in `_stage_of`.

Each stage looks at the incident as it is and appends what it decided; the loop in `advance` goes on
until something has to be waited for. A restart therefore needs no path of its own: the walk goes
on where the fold of the timeline says.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from healer.engine.case import Case, Tools
from healer.engine.choice import cannot_decide, choose
from healer.engine.correlate import applied
from healer.engine.diagnosis import Patient, look
from healer.engine.ending import Ender
from healer.engine.freshness import is_gone, is_stale
from healer.engine.treatment import Treatment, gave_up_looking, was_blind
from healer.engine.verifier import see
from healer.errors import ConflictError
from healer.model.event import (
    Chosen,
    Diagnosed,
    Ending,
    Event,
    IncidentId,
    IncidentKey,
    NothingMatched,
    PlaybookMatched,
)
from healer.model.incident import Incident
from healer.model.outcome import Decision, Finding
from healer.model.playbook import Mode
from healer.playbook.scope import build_scope

Stage = Callable[[Case], Awaitable[bool]]
"""Does one thing. True: look again at once. False: wait until somebody wakes the incident."""


class Remediation:
    """Moves an incident as far as it can go."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._ender = Ender(tools)
        self._treatment = Treatment(tools, self._ender)

    async def advance(self, incident: IncidentId) -> None:
        """Stage after stage, until there is something to wait for."""
        going = True
        while going:
            try:
                going = await self._advance_once(incident)
            except ConflictError:
                going = True  # something happened since we looked: look again

    async def _advance_once(self, incident_id: IncidentId) -> bool:
        incident = self._tools.journal.get(incident_id)
        if incident is None or incident.key is None:
            return False
        if incident.closed:
            return await self._wind_up(incident, incident.key)
        if incident.matched is None:
            return await self._match(incident, incident.key)
        case = self._open_case(incident, incident.key, incident.matched)
        if case is not None:
            return await self._stage_of(case)(case)
        if incident.run.started or incident.key.service not in self._tools.catalog.services:
            return await self._ender.give_up(incident, "its service or playbook is gone from here")
        return await self._match(incident, incident.key)

    async def _wind_up(self, incident: Incident, key: IncidentKey) -> bool:
        """Closed. If healer was stopped while a step of it ran, say what came of that step."""
        if incident.run.in_flight is None:
            self._ender.let_go(incident)
            return False
        case = self._open_case(incident, key, incident.matched) if incident.matched else None
        if case is not None and self._treatment.can_settle(case):
            return await self._treatment.settle(case)
        return await self._ender.lose_sight(incident, incident.run.in_flight)

    def _stage_of(self, case: Case) -> Stage:
        """The walk, read from top to bottom."""
        incident, run, treatment = case.incident, case.incident.run, self._treatment
        acted_out = run.acted and run.after is None and (case.next_step is None or is_gone(run))
        failed = run.after is not None and not run.after.healed
        undoing = failed and treatment.to_undo(case)
        table: tuple[tuple[bool, Stage], ...] = (
            (run.in_flight is not None, treatment.settle),
            (undoing or (failed and not incident.escalated), treatment.after_failure),
            (acted_out and not gave_up_looking(incident), treatment.verify),
            (self._to_put_back(case), treatment.put_back),
            (incident.healed is not None, self._ender.watched),
            (bool(incident.escalated or incident.denied), self._ender.left_to_people),
            (incident.rehearsed is not None, self._ender.after_rehearsal),
            (not incident.firing and not run.acted, self._ender.gone),
            (run.findings is None or was_blind(incident), self._diagnose),
            (run.chosen is None and is_gone(run), self._look_again),
            (run.chosen is None, self._choose),
            (case.next_step is None or case.mode is Mode.OBSERVE, self._ender.rehearsed),
            (not (run.started or _allowed(incident)), treatment.judge_run),
            (not run.started and is_stale(incident, self._tools.clock.now()), self._diagnose),
        )
        return next((stage for holds, stage in table if holds), treatment.run_step)

    async def _match(self, incident: Incident, key: IncidentKey) -> bool:
        """Nothing applied when it was opened, or what did is gone from here: what applies now?"""
        playbook = next(
            (one for one in self._tools.catalog.current() if one.name == key.playbook), None
        )
        if playbook is None:
            return await self._unmatched(incident, key)
        mode = self._tools.catalog.mode_of(playbook.mode)
        alerts = incident.alerts.values()
        matched = applied(playbook, alerts, service=key.service, mode=mode)
        await self._tools.journal.decide(incident, matched)
        return True

    async def _unmatched(self, incident: Incident, key: IncidentKey) -> bool:
        if incident.unmatched is None:
            reason = f"no playbook applies to this alert of {key.service}"
            await self._tools.journal.decide(incident, NothingMatched(reason=reason))
            return True
        if incident.firing:
            return False
        return await self._ender.close(incident, Ending.RESOLVED, "the alert resolved by itself")

    def _open_case(
        self, incident: Incident, key: IncidentKey, matched: PlaybookMatched
    ) -> Case | None:
        service = self._tools.catalog.services.get(key.service)
        playbook = self._tools.catalog.playbook_of(incident)
        if service is None or playbook is None:
            return None
        now = self._tools.clock.now()
        return Case(
            incident=incident,
            key=key,
            service=service,
            playbook=playbook,
            patient=Patient(incident=incident, service=service, target=key.target),
            scope=build_scope(incident, service, now=now),
            mode=self._tools.catalog.mode_of(matched.mode),
        )

    async def _diagnose(self, case: Case) -> bool:
        findings = await look(
            case.playbook.diagnose,
            patient=case.patient,
            scope=case.scope,
            catalog=self._tools.catalog,
        )
        unseen = _unseen(findings)
        before = _unseen(case.incident.run.findings or ())
        if (
            unseen and unseen == before and was_blind(case.incident)
        ):  # said once already; the timeline is not a heartbeat
            self._tools.wake_at(case.incident.id, self._treatment.again())
            return False
        scope = build_scope(
            case.incident, case.service, now=self._tools.clock.now(), findings=findings
        )
        decided = self._decide(replace(case, scope=scope), findings)
        await self._tools.journal.decide(case.incident, Diagnosed(findings=findings), *decided)
        return True

    async def _choose(self, case: Case) -> bool:
        """The findings stand there without a decision: something that it needs cannot be seen."""
        findings = case.incident.run.findings or ()
        if blind := cannot_decide(case.playbook, findings):
            return await self._treatment.hold(case, guard="evidence", reason=blind)
        await self._tools.journal.decide(case.incident, *self._decide(case, findings))
        return True

    def _decide(self, case: Case, findings: Sequence[Finding]) -> Sequence[Event]:
        """Is the fault there at all, and which branch of the playbook fits what was found?

        Nothing where something that this needs could not be seen.
        """
        if cannot_decide(case.playbook, findings):
            return ()
        decided = choose(case)
        if not isinstance(decided[-1], Chosen):
            self._ender.let_go(case.incident)
        return decided

    async def _look_again(self, case: Case) -> bool:
        """The fault was gone and the alert fires on: one of them lags, so nothing is concluded."""
        sight = await see(
            case.playbook,
            patient=case.patient,
            catalog=self._tools.catalog,
            clock=self._tools.clock,
        )
        if not sight.holds:
            return await self._diagnose(case)
        self._tools.wake_at(case.incident.id, self._treatment.again())
        return False

    def _to_put_back(self, case: Case) -> bool:
        incident, watch = case.incident, case.playbook.verify.watch
        if incident.healed_at is None or incident.firing:
            return False
        if self._tools.clock.now() < incident.healed_at + watch:
            return False
        return self._treatment.to_put_back(case)


def _allowed(incident: Incident) -> bool:
    judged = incident.run.judged
    if judged is None:
        return False
    return judged.step is not None or judged.decision is Decision.ALLOW


def _unseen(findings: tuple[Finding, ...]) -> frozenset[str]:
    return frozenset(finding.check for finding in findings if not finding.known)
