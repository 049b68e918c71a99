"""A drill on paper: Markdown and HTML with its plot, and one index of many drills. Pure."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape

from healer.lab.contract import Object
from healer.lab.drill.plot import Mark, Plot
from healer.lab.drill.report import Report, in_words

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem;
  color: #1f2328; background: #fff }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #d0d7de;
  vertical-align: top; overflow-wrap: anywhere }
td.n, th.n { text-align: right; white-space: nowrap }
.good { color: #1a7f37; font-weight: 600 } .bad { color: #cf222e; font-weight: 600 }
pre { background: #f6f8fa; padding: .8rem; white-space: pre-wrap; overflow-wrap: anywhere }
svg { max-width: 100%; height: auto }
"""
_HEAD = (
    "drill",
    "what is broken",
    "branch",
    "detect",
    "react",
    "act",
    "heal",
    "runbook expects",
    "ended",
)
_NUMBERS = frozenset({"detect", "react", "act", "heal", "since"})


def plot(report: Report) -> str:
    """The telling metric with the marks of this drill, as SVG."""
    metric = report.scenario.telling
    return Plot(
        title=metric.title if metric else "no metric tells of this",
        unit=metric.unit if metric else "",
        points=report.series,
        marks=list(_marks(report)),
    ).svg()


def _marks(report: Report) -> list[Mark]:
    """The fault, and every entry that changed the course of things."""
    found = [Mark(at=0.0, label="fault", kind="bad")]
    alerted = False
    for entry in report.entries:
        event, at = entry["event"], report.since(entry)
        match event["type"]:
            case "AlertsReceived" if not alerted:
                alerted = True
                found.append(Mark(at=at, label="alert", kind="bad"))
            case "Approved":
                found.append(Mark(at=at, label="approved"))
            case "Denied":
                found.append(Mark(at=at, label="denied", kind="bad"))
            case "StepStarted":
                found.append(Mark(at=at, label=str(event["step"]), kind="act"))
            case "Verified" if event["moment"] == "after" and event["healed"]:
                found.append(Mark(at=at, label="verified healed", kind="good"))
            case "Escalated":
                found.append(Mark(at=at, label="person called", kind="bad"))
            case "Closed":
                found.append(Mark(at=at, label=f"closed, {event['ending']}"))
            case _:
                pass
    if report.mended_at is not None:
        at = (report.mended_at - report.struck_at) / timedelta(seconds=1)
        found.append(Mark(at=at, label="rest of the fault taken away"))
    return sorted(found, key=lambda mark: mark.at)


# --------------------------------------------------------------------------------------- one drill


def markdown(report: Report) -> str:
    """For a repository or a ticket."""
    scenario = report.scenario
    lines = [
        f"# {scenario.name}: {_verdict(report)}",
        "",
        f"Broken was: {scenario.what}.",
        "",
        f"![{scenario.name}]({scenario.name}.svg)",
        "",
        *_table(("time to", "here", "expected"), _times(report)),
        "",
        *(f"- **not as it must be:** {fault}" for fault in report.faults),
        "",
        "## Timeline",
        "",
        *_table(("since", "what"), _timeline(report)),
        "",
    ]
    for title, text in _told(report):
        lines += [f"## {title}", "", "```", text, "```", ""]
    return "\n".join([*lines, f"_{_pace(report)}_", ""])


def html(report: Report) -> str:
    """The same, in one file that needs no other."""
    scenario = report.scenario
    told = "".join(
        f"<h2>{escape(title)}</h2><pre>{escape(text)}</pre>" for title, text in _told(report)
    )
    faults = "".join(f'<li class="bad">{escape(fault)}</li>' for fault in report.faults)
    body = (
        f"<h1>{escape(scenario.name)}</h1>"
        f'<p class="{_tone(report)}">{escape(_verdict(report))}</p>'
        f"<p>Broken was: {escape(scenario.what)}.</p>"
        f"{plot(report)}"
        f"{_grid(('time to', 'here', 'runbook expects'), _times(report))}"
        f"{f'<ul>{faults}</ul>' if faults else ''}"
        f"<h2>Timeline</h2>{_grid(('since', 'what'), _timeline(report))}{told}"
        f"<p>{escape(_pace(report))}</p>"
        '<p><a href="index.html">All drills of this run</a></p>'
    )
    return _page(scenario.name, body)


def _times(report: Report) -> list[tuple[str, ...]]:
    took, react = report.times, in_words(report.react, digits=2)
    return [
        ("detect", in_words(took["detect"]), ""),
        ("act", in_words(took["act"]), ""),
        ("alert to first step", react, f"< {report.reacts_within:g} s"),
        ("heal", in_words(took["heal"]), report.scenario.expected or "-"),
    ]


def _timeline(report: Report) -> list[tuple[str, ...]]:
    return [
        (f"{report.since(entry):+.1f} s", str(entry["words"]))
        for entry in report.entries
        if entry["words"] and entry["event"]["type"] != "NoticeStarted"
    ]


def _told(report: Report) -> Sequence[tuple[str, str]]:
    """What is known from outside: what people read, and what the API server was asked for."""
    nobody = "nobody was told"
    return (
        ("Slack", report.slack or nobody),
        ("PagerDuty", report.pagerduty or nobody),
        ("Asked of the API server by healer", "\n".join(report.written) or "to change nothing"),
    )


# --------------------------------------------------------------------------------------- the index


def index_markdown(reports: Sequence[Report], *, at: datetime) -> str:
    """One line a drill."""
    rows = [
        (f"[{row[0]}]({row[0]}.md)", *row[1:]) for row in (_summary(report) for report in reports)
    ]
    parts = ["# Drills", "", _count(reports, at), "", *_table(_HEAD, rows), ""]
    return "\n".join(parts)


def index_html(reports: Sequence[Report], *, at: datetime) -> str:
    """The same."""
    head = "".join(f'<th class="{_column(name)}">{escape(name)}</th>' for name in _HEAD)
    rows = "".join(
        f'<tr><td><a href="{escape(row[0])}.html">{escape(row[0])}</a></td>'
        + "".join(
            f'<td class="{_tone(report) if name == "ended" else _column(name)}">{escape(cell)}</td>'
            for name, cell in zip(_HEAD[1:], row[1:], strict=True)
        )
        + "</tr>"
        for report, row in ((report, _summary(report)) for report in reports)
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return _page("Drills", f"<h1>Drills</h1><p>{escape(_count(reports, at))}</p>{table}")


def index_json(reports: Sequence[Report], *, at: datetime) -> str:
    """For programs."""
    found: Object = {"at": at.isoformat(), "drills": [report.as_json() for report in reports]}
    return json.dumps(found, indent=1)


def _summary(report: Report) -> tuple[str, ...]:
    scenario = report.scenario
    return (
        scenario.name,
        scenario.what,
        report.remedy or "none",
        in_words(report.times["detect"]),
        in_words(report.react, digits=2),
        in_words(report.times["act"]),
        in_words(report.times["heal"]),
        scenario.expected or "-",
        scenario.ending.value if report.passed else f"NOT as it must: {'; '.join(report.faults)}",
    )


def _count(reports: Sequence[Report], at: datetime) -> str:
    passed = sum(report.passed for report in reports)
    return f"{passed} of {len(reports)} ended as they must, {at:%Y-%m-%d %H:%M} UTC. " + (
        _pace(reports[0]) if reports else ""
    )


# ----------------------------------------------------------------------------------------- wording


def _verdict(report: Report) -> str:
    if not report.passed:
        return "not as it must be"
    return "rehearsed, nothing touched" if report.dry_run else report.scenario.ending.value


def _tone(report: Report) -> str:
    return "good" if report.passed else "bad"


def _pace(report: Report) -> str:
    return f"Waits are {report.factor:g} times as short here; work is as long as it is."


def _column(name: str) -> str:
    return "n" if name in _NUMBERS else ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *cells)]


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f'<th class="{_column(name)}">{escape(name)}</th>' for name in head)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td class="{_column(name)}">{escape(cell)}</td>'
            for name, cell in zip(head, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}'
        f'</title><meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body>{body}</body></html>\n"
    )
