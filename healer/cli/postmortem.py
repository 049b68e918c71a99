"""A postmortem in Markdown, folded from the timeline as the API tells it. It adds no opinion."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from healer.cli.output import clean
from healer.cli.timeline import moment, span

Row = Mapping[str, Any]

_ESCAPED = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_[]<>|#~"})


def postmortem(known: Row, entries: Sequence[Row]) -> str:
    """The whole document, ending in one newline."""
    parts = [
        f"# Postmortem: {_md(known['headline'] or known['id'])}",
        _facts(known, entries),
        _section("What fired", _alerts(entries)),
        _section("What was seen", _findings(entries)),
        _section("What was decided", _decisions(entries)),
        _section("What was done", _steps(entries)),
        _section("Was it healed", _verdicts(entries)),
        _section("Timeline (UTC)", _timeline(entries)),
        "_From the timeline of healer. Why it happened and what to change is for people to add._",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _facts(known: Row, entries: Sequence[Row]) -> str:
    fired = min((moment(one["starts_at"]) for one in _each_alert(entries)), default=None)
    opened = _at(entries, "Opened")
    acted = _at(entries, "StepStarted", lambda event: not event["dry_run"])
    healed = _at(entries, "Verified", lambda event: event["moment"] == "after" and event["healed"])
    closed = _at(entries, "Closed")
    rows = [
        ("Incident", _md(known["id"])),
        ("Service", _md(known["service"])),
        ("Target", _md(known["target"])),
        ("Playbook", _md(known["playbook"] or "none")),
        ("Severity", _md(known["severity"])),
        ("State", _md(known["state"])),
        ("Ending", _md(known["ending"] or "not over")),
        ("First alert since", _when(fired)),
        ("Opened", _since(opened, fired)),
        ("First action", _since(acted, fired)),
        ("Verified healed", _since(healed, fired)),
        ("Closed", _since(closed, fired)),
    ]
    lines = [f"| {name} | {content} |" for name, content in rows if content]
    return "\n".join(["| | |", "|---|---|", *lines])


def _alerts(entries: Sequence[Row]) -> list[str]:
    latest = {one["fingerprint"]: one for one in _each_alert(entries)}
    return [
        f"- **{_md(one['labels'].get('alertname', 'alert'))}** since "
        f"{_when(moment(one['starts_at']))} ({_md(one['status'])}): {_md(_labels(one['labels']))}"
        for one in latest.values()
    ]


def _findings(entries: Sequence[Row]) -> list[str]:
    words = {(True, True): "yes", (False, True): "no"}
    return [
        f"- {_md(one['check'])}: **{words.get((one['holds'], one['known']), 'unknown')}**"
        f" – {_md(one['summary'])}"
        for event in _events(entries, "Diagnosed")
        for one in event["findings"]
    ]


def _decisions(entries: Sequence[Row]) -> list[str]:
    lines: list[str] = []
    for entry in entries:
        event = entry["event"]
        match event["type"]:
            case "Chosen":
                lines.append(
                    f"- Remedy: {_md(event['remedy'] or 'none')} – {_md(event['because'])}"
                )
            case "Judged" if event["decision"] != "allow":
                lines.extend(
                    f"- {_md(one['guard'])} said **{_md(one['decision'])}**: {_md(one['reason'])}"
                    for one in event["verdicts"]
                    if one["decision"] != "allow"
                )
            case "NothingMatched" | "Approved" | "Denied" | "Escalated":
                lines.append(f"- {_said(entry)}")
            case _:
                pass
    return lines


def _steps(entries: Sequence[Row]) -> list[str]:
    """Each step with its end; one without an end is said to have none."""
    lines: list[str] = []
    begun: dict[tuple[str, int], int] = {}
    times: dict[tuple[str, int], datetime] = {}
    for entry in entries:
        event = entry["event"]
        if event["type"] not in ("StepStarted", "StepFinished"):
            continue
        key = (str(event["step"]), int(event["attempt"]))
        if event["type"] == "StepStarted":
            begun[key], times[key] = len(lines), moment(entry["at"])
            undoes = f", undoing {_md(event['undoes'])}" if event["undoes"] else ""
            dry = ", dry run" if event["dry_run"] else ""
            lines.append(f"- `{_code(event['action'])}` (attempt {key[1]}{undoes}{dry})")
        elif key in begun:
            took = span(moment(entry["at"]) - times[key])
            outcome = event["outcome"]
            lines[begun[key]] += (
                f": **{_md(outcome['result'])}** in {took} – {_md(outcome['summary'])}"
            )
            begun.pop(key)
    for unfinished in begun.values():
        lines[unfinished] += ": **no end is recorded**"
    return lines


def _verdicts(entries: Sequence[Row]) -> list[str]:
    return [
        f"- {_md(event['moment'])}: **{'healed' if event['healed'] else 'not healed'}**"
        f" – {_md(event['reason'])}"
        for event in _events(entries, "Verified")
    ]


def _timeline(entries: Sequence[Row]) -> list[str]:
    told = [entry for entry in entries if entry["words"]]
    rows = [
        f"| {moment(entry['at']):%Y-%m-%d %H:%M:%S} | {_md(entry['event']['type'])} "
        f"| {_md(entry['words'])} |"
        for entry in told
    ]
    return ["| Time | Event | What |", "|---|---|---|", *rows] if rows else []


def _section(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"## {title}", "", *lines]) if lines else ""


def _events(entries: Sequence[Row], kind: str) -> Iterable[Row]:
    return (entry["event"] for entry in entries if entry["event"]["type"] == kind)


def _each_alert(entries: Sequence[Row]) -> Iterable[Row]:
    return (alert for event in _events(entries, "AlertsReceived") for alert in event["alerts"])


def _at(
    entries: Sequence[Row], kind: str, which: Callable[[Row], bool] = lambda _: True
) -> datetime | None:
    fitting = (
        moment(entry["at"])
        for entry in entries
        if entry["event"]["type"] == kind and which(entry["event"])
    )
    return next(fitting, None)


def _since(at: datetime | None, start: datetime | None) -> str:
    if at is None:
        return ""
    return f"{_when(at)} (+{span(at - start)})" if start and at >= start else _when(at)


def _when(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else ""


def _labels(labels: Row) -> str:
    return ", ".join(f"{name}={content}" for name, content in sorted(labels.items()))


def _said(entry: Row) -> str:
    return _md(entry["words"] or entry["event"]["type"])


def _md(content: object) -> str:
    """Text from elsewhere as plain text of Markdown."""
    return clean(str(content)).translate(_ESCAPED)


def _code(content: object) -> str:
    return clean(str(content)).replace("`", "'")
