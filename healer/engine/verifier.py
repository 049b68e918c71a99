"""Is it healed? "Ran without error" is not: the playbook's condition must hold, and stay so."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from healer.engine.catalog import Catalog
from healer.engine.diagnosis import Patient, look
from healer.errors import PermanentError
from healer.kit.clock import Clock
from healer.kit.duration import format_duration
from healer.model.event import Judged, Moment, Verified
from healer.model.outcome import Decision, Finding, Verdict
from healer.model.playbook import CheckSpec, Playbook
from healer.playbook.condition import evaluate, referenced_checks
from healer.playbook.scope import build_scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One look: does the condition hold? None where it cannot be told, and why."""

    holds: bool | None
    reason: str
    findings: tuple[Finding, ...]


def asked_for(condition: str, playbook: Playbook) -> tuple[CheckSpec, ...]:
    """The playbook's checks that a condition speaks of."""
    names = referenced_checks(condition)
    return tuple(spec for spec in playbook.diagnose if spec.id in names)


async def see(playbook: Playbook, *, patient: Patient, catalog: Catalog, clock: Clock) -> Sight:
    """Look anew at what the condition speaks of, and evaluate it."""
    until, now = playbook.verify.until, clock.now()
    scope = build_scope(patient.incident, patient.service, now=now)
    findings = await look(asked_for(until, playbook), patient=patient, scope=scope, catalog=catalog)
    unknown = [finding for finding in findings if not finding.known]
    if unknown:
        why = "; ".join(finding.told for finding in unknown)
        return Sight(holds=None, reason=why, findings=findings)
    scope = build_scope(patient.incident, patient.service, now=now, findings=findings)
    try:
        holds = evaluate(until, scope)
    except PermanentError as error:
        return Sight(holds=None, reason=str(error), findings=findings)
    seen = "; ".join(finding.told for finding in findings)
    return Sight(holds=holds, reason=f"{until} is {str(holds).lower()} ({seen})", findings=findings)


async def watch(
    playbook: Playbook,
    *,
    patient: Patient,
    catalog: Catalog,
    clock: Clock,
    wanted: Callable[[], bool],
    blind: bool,
) -> Verified | Judged | None:
    """Look every so often until the condition has held for `for_`, or the time is up.

    Time in which nothing could be seen does not count against the cure: an absent Prometheus is
    not a failed remedy. The incident's own escalation bounds the wait. That nothing can be seen
    is said once, as a hold; `blind`: it has been. None: it is no longer `wanted`, for an operator
    took over.
    """
    verify = playbook.verify
    left = verify.timeout
    held_since: datetime | None = None
    while wanted():
        asked_at = clock.now()
        sight = await see(playbook, patient=patient, catalog=catalog, clock=clock)
        if sight.holds is None and not blind:
            return _hold(sight)
        held_since = (held_since or asked_at) if sight.holds else None  # unseen is not held
        if held_since and clock.now() - held_since >= verify.for_:
            reason = f"{sight.reason}, for {format_duration(verify.for_)}"
            return _verdict(sight, healed=True, reason=reason)
        if left <= timedelta(0):
            reason = f"not within {format_duration(verify.timeout)}: {sight.reason}"
            return _verdict(sight, healed=False, reason=reason)
        await clock.sleep(_next_look(verify.every, held_since, verify.for_, clock))
        if sight.holds is not None:
            left -= clock.now() - asked_at
    return None


def _next_look(
    every: timedelta, held_since: datetime | None, for_: timedelta, clock: Clock
) -> timedelta:
    if held_since is None:
        return every
    return max(min(every, held_since + for_ - clock.now()), timedelta(milliseconds=10))


def _verdict(sight: Sight, *, healed: bool, reason: str) -> Verified:
    return Verified(moment=Moment.AFTER, healed=healed, reason=reason, findings=sight.findings)


def _hold(sight: Sight) -> Judged:
    reason = f"whether it is healed cannot be seen: {sight.reason}"
    verdict = Verdict(guard="evidence", decision=Decision.HOLD, reason=reason)
    return Judged(step=None, decision=Decision.HOLD, verdicts=(verdict,))
