"""What people read: a line for every event, a headline for an incident. Plain text, one line each.

Slack, PagerDuty, the command line and the log print these same words, so they cannot disagree.
Text from elsewhere is cleaned and cut here; how a channel escapes it is the channel's matter.
"""

from typing import assert_never

from healer.model.event import (
    Alarm,
    AlarmRang,
    AlertsReceived,
    Approved,
    Archived,
    Chosen,
    Closed,
    Denied,
    Diagnosed,
    Entry,
    Escalated,
    Event,
    Judged,
    Moment,
    NothingMatched,
    NoticeDropped,
    NoticeSent,
    NoticeStarted,
    Opened,
    Paused,
    PlaybookMatched,
    Rehearsed,
    Resumed,
    RunStarted,
    SeverityRaised,
    StepFinished,
    StepStarted,
    Verified,
)
from healer.model.incident import Incident, IncidentState
from healer.model.outcome import Decision
from healer.notify.phrase import (
    because,
    clock,
    day,
    ending,
    findings,
    named,
    params,
    people,
    reasons,
    refusals,
    result,
    scope,
    short,
)
from healer.notify.redact import plain

LINE = 1200
"""No line is longer, whatever an alert says."""
_SENSES = ("evidence", "world")
"""What the engine holds by itself, at any moment of a walk, while it cannot see or reach things."""


def line(entry: Entry) -> str | None:
    """The line of an entry with its time (UTC); None where it tells a person nothing."""
    said = say(entry.event)
    return None if said is None else f"{clock(entry.at)}  {said}"


def say(event: Event) -> str | None:
    """What happened, without the time."""
    said = _say(event)
    return None if said is None else plain(said, LINE)


def detail(event: Event) -> str:
    """What happened, also where it is no news to anybody: for those who read the whole timeline."""
    match event:
        case Judged(decision=Decision.ALLOW):
            about = f"step {short(event.step)}" if event.step else "the run"
            return plain(f"Allowed {about}: {reasons(event.verdicts)}", LINE)
        case NoticeStarted():
            return plain(f"Telling {short(event.channel)} all up to line {event.through}.", LINE)
        case NoticeSent():
            return plain(f"{short(event.channel)} knows all up to line {event.through}.", LINE)
        case Archived():
            return "Archived: every channel knows how it ended."
        case _:
            return say(event) or ""


def _say(event: Event) -> str | None:  # noqa: C901, PLR0911, PLR0912 - one closed match, read as a table
    match event:
        case Opened():
            service, target = short(event.key.service), short(str(event.key.target))
            return f"Opened: {service}, {target}, severity {short(event.severity) or 'not given'}."
        case SeverityRaised():
            return f"Severity raised to {short(event.severity)}."
        case AlertsReceived():
            return _alerts(event)
        case PlaybookMatched():
            return f"Playbook {event.playbook} applies (mode {event.mode}){because(event.because)}"
        case NothingMatched():
            return f"No playbook applies{because(event.reason)}"
        case Diagnosed():
            return f"Looked: {findings(event.findings)}"
        case Chosen(remedy=None):
            return f"No remedy chosen{because(event.because)}"
        case Chosen():
            return f"Chosen: {event.remedy}{because(event.because)}"
        case Judged():
            return _judged(event)
        case StepStarted():
            return _started(event)
        case StepFinished():
            return _finished(event)
        case Verified():
            return _verified(event)
        case RunStarted():
            return f"Round {event.number} begins{because(event.reason)}"
        case Escalated():
            return f"Escalated to {people(event.to)}{because(event.reason)}"
        case Rehearsed():
            return f"Rehearsed{because(event.reason)}"
        case Approved():
            return f"Approved by {short(event.by)}."
        case Denied():
            return f"Denied by {short(event.by)}{because(event.reason)}"
        case AlarmRang():
            return _alarm(event.alarm)
        case NoticeDropped():
            return (
                f"{short(event.channel)} could not be told and will not be{because(event.reason)}"
            )
        case Closed():
            return f"Closed, {ending(event.ending)}{because(event.reason)}"
        case Paused():
            return f"Paused by {short(event.by)} for {scope(event.service)}{because(event.reason)}"
        case Resumed():
            return f"Resumed by {short(event.by)} for {scope(event.service)}."
        case NoticeStarted() | NoticeSent() | Archived():
            return None
        case _:
            assert_never(event)


def _alerts(event: AlertsReceived) -> str:
    firing = named(alert.name for alert in event.alerts if alert.firing)
    resolved = named(alert.name for alert in event.alerts if not alert.firing)
    parts = [f"firing {firing}" if firing else "", f"resolved {resolved}" if resolved else ""]
    left = f"; {event.truncated} more were left out" if event.truncated else ""
    return f"Alerts: {', '.join(part for part in parts if part) or 'none'}{left}."


def _judged(event: Judged) -> str | None:
    about = f"step {short(event.step)}" if event.step else "the run"
    match event.decision:
        case Decision.ALLOW:
            return None
        case Decision.HOLD:
            blind = event.step is None and all(one.guard in _SENSES for one in event.verdicts)
            before = "" if blind else f" before {about}"
            return f"Waiting{before}: {refusals(event.verdicts)}"
        case Decision.ASK:
            return f"Asking for approval of {about}: {refusals(event.verdicts)}"
        case Decision.DENY:
            return f"Refused {about}: {refusals(event.verdicts)}"
        case _:
            assert_never(event.decision)


def _started(event: StepStarted) -> str:
    verb = "Rehearsing" if event.dry_run else "Doing" if event.undoes is None else "Undoing"
    what = f"{short(event.undoes or event.step)}: {short(event.action)}"
    again = f", attempt {event.attempt}" if event.attempt > 1 else ""
    with_ = f" ({params(event.params)})" if event.params else ""
    return f"{verb} {what}{with_}{again}."


def _finished(event: StepFinished) -> str:
    late = " Found out after healer had been restarted." if event.settled else ""
    return (
        f"{short(event.step)} {result(event.outcome.result)}{because(event.outcome.summary)}{late}"
    )


def _verified(event: Verified) -> str:
    match (event.moment, event.healed):
        case (Moment.BEFORE, True):
            return f"The fault is gone already{because(event.reason)}"
        case (Moment.BEFORE, False):
            return f"The fault is still there{because(event.reason)}"
        case (_, True):
            return f"Healed, verified{because(event.reason)}"
        case _:
            return f"Not healed{because(event.reason)}"


def _alarm(alarm: Alarm) -> str:
    match alarm:
        case Alarm.ESCALATE:
            return "Time is up: this should have been healed by now."
        case Alarm.UPDATE:
            return "Still going on, and not forgotten."
        case Alarm.WATCH:
            return "Watched long enough: it stayed healed."
        case _:
            assert_never(alarm)


def headline(incident: Incident) -> str:
    """What, where, how bad, since when; who has it and what is being done. One line."""
    return f"{title(incident)} — {status(incident)}"


def title(incident: Incident) -> str:
    """What is wrong, where, how bad and since when."""
    what = named(alert.name for alert in incident.firing or tuple(incident.alerts.values()))
    where = ""
    if incident.key is not None:
        where = f" on {short(incident.key.service)} ({short(str(incident.key.target))})"
    severity = f"[{short(incident.severity, 20)}] " if incident.severity else ""
    since = f", since {day(incident.opened_at)}" if incident.opened_at else ""
    return plain(f"{severity}{what or 'Incident'}{where}{since}", 500)


def status(incident: Incident) -> str:
    """Who has it, and what healer is doing about it."""
    return plain(_status(incident), 700)


def _status(incident: Incident) -> str:  # noqa: PLR0911 - one closed match, read as a table
    match incident.state:
        case IncidentState.OPEN:
            return f"healer has it: {_doing(incident)}."
        case IncidentState.HELD:
            return f"healer has it and waits: {_asked(incident)}"
        case IncidentState.ASKING:
            return f"waits for a person to approve {_remedy(incident)}: {_asked(incident)}"
        case IncidentState.RUNNING:
            return f"healer has it: {_running(incident)}."
        case IncidentState.WATCHING:
            at = f" at {clock(incident.healed_at)}" if incident.healed_at else ""
            return f"healed{at}; healer watches whether it stays so."
        case IncidentState.ESCALATED:
            return _escalated(incident)
        case IncidentState.REHEARSED:
            said = because(incident.rehearsed.reason) if incident.rehearsed else "."
            return f"rehearsed{said} Nothing more is done while the alert fires."
        case IncidentState.CLOSED:
            closed = incident.closed
            return (
                f"closed, {ending(closed.ending)}{because(closed.reason)}" if closed else "closed."
            )
        case _:
            assert_never(incident.state)


def _doing(incident: Incident) -> str:
    if incident.unmatched is not None:
        return f"no playbook applies{because(incident.unmatched.reason)}".rstrip(".")
    if incident.run.chosen is not None:
        return f"about to apply {_remedy(incident)}"
    if incident.run.before is not None and incident.run.before.healed:
        return "no fault is to be seen, so it waits for the alert to resolve and looks again"
    return "looking for the cause" if incident.run.findings is None else "deciding what to do"


def _running(incident: Incident) -> str:
    step = incident.run.in_flight
    if step is None:
        return "checking whether the fault is gone"
    again = f", attempt {step.attempt}" if step.attempt > 1 else ""
    verb = "rehearsing" if step.dry_run else "doing" if step.undoes is None else "undoing"
    return f"{verb} {short(step.undoes or step.step)} ({short(step.action)}{again})"


def _remedy(incident: Incident) -> str:
    chosen = incident.run.chosen
    return short(chosen.remedy) if chosen is not None and chosen.remedy else "what it proposes"


def _asked(incident: Incident) -> str:
    judged = incident.run.judged
    return refusals(judged.verdicts) if judged is not None else "no reason was given"


def _escalated(incident: Incident) -> str:
    call = incident.escalated
    if call is None:
        return "a person has it."
    return f"{people(call.to)} has it{because(call.reason)} Healer does nothing more here."
