"""What is to be done about what was found? Pure: from a case to the events that say so."""

from collections.abc import Iterable

from healer.engine.case import Case
from healer.errors import PermanentError
from healer.model.event import Chosen, Escalated, Event, Moment, Verified
from healer.model.outcome import Finding
from healer.model.playbook import Playbook, Remedy
from healer.playbook.condition import evaluate, referenced_checks


def choose(case: Case) -> tuple[Event, ...]:
    """Whether the fault is there at all, and the first branch that fits; or whom to call.

    A fault that is gone needs no branch: the incident waits for its alert to resolve. A condition
    that cannot be evaluated is never taken for false: a human is called.
    """
    said: list[Event] = []
    try:
        before = _still_there(
            case, otherwise="nothing is done, and healer looks again until the alert resolves"
        )
        said.append(before)
        if before.healed:
            return tuple(said)
        urgent = case.playbook.escalate.when
        if urgent and evaluate(urgent, case.scope):
            return (*said, _call(case, f"{urgent} holds"))
        return (*said, *_branch(case, _first_fitting(case)))
    except PermanentError as error:
        return (*said, _call(case, f"could not decide: {error}"))


def reconsider(case: Case) -> tuple[Event, ...]:
    """Between two steps: is the fault still there, and is anybody to be called at once?

    The branch is not chosen anew: what its first steps did may well be why it fits no more.
    """
    said: list[Event] = []
    try:
        before = _still_there(case, otherwise="the other steps are left out")
        said.append(before)
        urgent = case.playbook.escalate.when
        if not before.healed and urgent and evaluate(urgent, case.scope):
            said.append(_call(case, f"{urgent} holds"))
    except PermanentError as error:
        said.append(_call(case, f"could not decide whether to go on: {error}"))
    return tuple(said)


def cannot_decide(playbook: Playbook, findings: Iterable[Finding]) -> str:
    """What a decision needs but could not be seen; '' if all is there."""
    conditions = (*_of_the_fault(playbook), *(remedy.when for remedy in playbook.remedies))
    return _unseen(conditions, findings)


def cannot_reconsider(playbook: Playbook, findings: Iterable[Finding]) -> str:
    """The same, of what `reconsider` needs."""
    return _unseen(_of_the_fault(playbook), findings)


def _of_the_fault(playbook: Playbook) -> tuple[str, ...]:
    return playbook.escalate.when, playbook.verify.until


def _unseen(conditions: Iterable[str], findings: Iterable[Finding]) -> str:
    needed = frozenset[str]().union(*(referenced_checks(text) for text in conditions if text))
    return "; ".join(
        f"{finding.check}: {finding.summary}"
        for finding in findings
        if not finding.known and finding.check in needed
    )


def _still_there(case: Case, *, otherwise: str) -> Verified:
    """The edge woke us; the level decides: before anything is done, is the fault there?"""
    until = case.playbook.verify.until
    gone = evaluate(until, case.scope)
    reason = f"{until} is {str(gone).lower()}" + (f"; {otherwise}" if gone else "")
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
