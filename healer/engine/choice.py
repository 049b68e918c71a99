"""What is to be done about what was found? Pure: from a case to the events that say so."""

from healer.engine.case import Case
from healer.errors import PermanentError
from healer.model.event import Chosen, Escalated, Event, Moment, Verified
from healer.model.playbook import Remedy
from healer.playbook.condition import evaluate, referenced_checks


def choose(case: Case) -> tuple[Event, ...]:
    """Whether the fault is there at all, and the first branch that fits; or whom to call.

    A fault that is gone needs no branch: the incident waits for its alert to resolve. A condition
    that cannot be evaluated is never taken for false: a human is called.
    """
    said: list[Event] = []
    try:
        before = _still_there(case)
        said.append(before)
        if before.healed:
            return tuple(said)
        urgent = case.playbook.escalate.when
        if urgent and evaluate(urgent, case.scope):
            return (*said, _call(case, f"{urgent} holds"))
        return (*said, *_branch(case, _first_fitting(case)))
    except PermanentError as error:
        return (*said, _call(case, f"could not decide: {error}"))


def cannot_decide(case: Case) -> str:
    """What a decision needs but could not be seen; '' if all is there."""
    conditions = (
        case.playbook.escalate.when,
        case.playbook.verify.until,
        *(remedy.when for remedy in case.playbook.remedies),
    )
    needed = frozenset[str]().union(*(referenced_checks(text) for text in conditions if text))
    return "; ".join(
        f"{finding.check}: {finding.summary}"
        for finding in case.incident.run.findings or ()
        if not finding.known and finding.check in needed
    )


def _still_there(case: Case) -> Verified:
    """The edge woke us; the level decides: before anything is done, is the fault there?"""
    until = case.playbook.verify.until
    gone = evaluate(until, case.scope)
    waits = "; nothing is done, and healer looks again until the alert resolves" if gone else ""
    reason = f"{until} is {str(gone).lower()}{waits}"
    return Verified(moment=Moment.BEFORE, healed=gone, reason=reason)


def _first_fitting(case: Case) -> Remedy | None:
    remedies = case.playbook.remedies
    return next((one for one in remedies if evaluate(one.when, case.scope)), None)


def _branch(case: Case, remedy: Remedy | None) -> tuple[Event, ...]:
    if remedy is None:
        reason = "no branch of the playbook fits what was found"
        return Chosen(remedy=None, because=reason), _call(case, reason)
    because = f"{remedy.when} holds" + (f": {remedy.because}" if remedy.because else "")
    return (Chosen(remedy=remedy.name, because=because),)


def _call(case: Case, reason: str) -> Escalated:
    return Escalated(reason=reason, to=case.playbook.escalate.to)
