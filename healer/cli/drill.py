"""A drill's report for people: the timeline, what people were told, and how long it took."""

from collections.abc import Sequence

from healer.cli.output import clean, columns
from healer.cli.timeline import TimelinePrinter, terminal_width
from healer.lab.drill.report import Report, in_words
from healer.lab.drill.scenario import Ending

_ENDINGS = {
    Ending.HEALED: "healed, verified",
    Ending.UNTOUCHED: "left untouched, said why, and people were told",
    Ending.HANDED_OVER: "tried, not healed, and handed over to a person",
}


def as_text(report: Report) -> str:
    """All of it."""
    printer = TimelinePrinter(width=terminal_width())
    shown = [one for one in report.entries if one["event"]["type"] != "NoticeStarted"]
    parts = [
        _titled(
            f"Timeline of {report.scenario.name}",
            "\n".join([printer.head(), *(printer.line(entry) for entry in shown)]),
        ),
        _titled("Slack", _cleaned(report.slack) or "nobody was told"),
        _titled("PagerDuty", _cleaned(report.pagerduty) or "nobody was called"),
    ]
    if report.dry_run:
        parts.append(_titled("What would have been done", _rehearsed(report)))
    parts.append(_titled("Times", _times(report)))
    return "\n\n".join([*parts, _verdict(report)])


def _titled(title: str, text: str) -> str:
    return f"== {title} ==\n{text}"


def _cleaned(text: str) -> str:
    return "\n".join(clean(line) for line in text.splitlines())


def _rehearsed(report: Report) -> str:
    lines = [f"{number}. {clean(step)}" for number, step in enumerate(report.steps, start=1)]
    lines = lines or ["nothing"]
    if report.changes:
        return "\n".join([*lines, "and yet this was changed:", *map(clean, report.changes)])
    versions = "every resourceVersion is the same"
    if report.moved:
        versions = f"only the cluster's own status of {', '.join(report.moved)} moved"
    return "\n".join(
        [*lines, f"Nothing was changed: every file of the cache is as before, and {versions}."]
    )


def _times(report: Report) -> str:
    took, react = report.times, in_words(report.react, digits=2)
    rows = [
        ("detect  (fault -> alert received)", in_words(took["detect"]), ""),
        ("react   (alert received -> first step)", react, f"< {report.reacts_within:g} s"),
        ("act     (fault -> first step)", in_words(took["act"]), ""),
        ("heal    (fault -> verified healed)", in_words(took["heal"]), report.scenario.expected),
    ]
    table = columns(("TIME TO", "HERE", "EXPECTED"), rows)
    return f"{table}\n(Waits are {report.factor:g} times as short here; work is as long as it is.)"


def _verdict(report: Report) -> str:
    name = report.scenario.name
    if not report.passed:
        return f"{name}: NOT as it must be: {'; '.join(map(clean, report.faults))}."
    if report.dry_run:
        return f"{name}: rehearsed, and nothing was touched."
    return f"{name}: {_ENDINGS[report.scenario.ending]}."


def as_table(reports: Sequence[Report]) -> str:
    """Many drills, a line each: seconds from the fault on, and what the runbook expects.

    Only REACT counts from the alert: to the first step.
    """
    head = ("DRILL", "BRANCH", "DETECT", "REACT", "ACT", "HEAL", "RUNBOOK EXPECTS", "ENDED")
    return columns(head, [_row(report) for report in reports])


def _row(report: Report) -> tuple[str, ...]:
    detect, act, heal = (in_words(report.times[name]) for name in ("detect", "act", "heal"))
    ended = str(report.scenario.ending) if report.passed else f"NO: {'; '.join(report.faults)}"
    return (
        report.scenario.name,
        report.remedy or "-",
        detect,
        in_words(report.react, digits=2),
        act,
        heal,
        report.scenario.expected or "-",
        ended,
    )
