"""`healer incident`: look at incidents and decide about them, through the daemon's API."""

import json
from collections.abc import Mapping
from itertools import chain
from typing import Any

import click

from healer.cli.output import clean, columns, emit, fields, output_option
from healer.cli.postmortem import postmortem
from healer.cli.remote import Document, Remote, connected, incident_path
from healer.cli.timeline import TimelinePrinter, moment, terminal_width
from healer.model.incident import IncidentState

_PAGE = 200


@click.group()
def incident() -> None:
    """Look at incidents, and decide about them."""


@incident.command("list")
@click.option("--state", type=click.Choice([state.value for state in IncidentState]), default=None)
@click.option("--service", default="", help="Only those of this service.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@output_option
@connected
def list_(remote: Remote, state: str | None, service: str, limit: int, output: str) -> None:
    """Incidents, newest first."""
    found, more = listed(remote, state=state or "", service=service, limit=limit)
    if more:
        click.echo(f"there are more than {limit}; ask with a greater --limit", err=True)
    emit(output, {"incidents": found}, lambda: table(found))


@incident.command()
@click.argument("id")
@click.option("--follow", "-f", is_flag=True, help="Go on until the incident is closed.")
@output_option
@connected
def show(remote: Remote, id: str, follow: bool, output: str) -> None:  # noqa: A002 - as the user says
    """One incident and its timeline."""
    known = remote.get(incident_path(id))
    entries: list[Document] = list(remote.get(incident_path(id, "/timeline"))["entries"])
    if follow:
        _follow(remote, known, entries, output)
    else:
        emit(output, {**known, "timeline": entries}, lambda: _shown(known, entries))


@incident.command()
@click.argument("id")
@output_option
@connected
def approve(remote: Remote, id: str, output: str) -> None:  # noqa: A002 - as the user says
    """Let an incident go on that asks."""
    _decide(remote, id, "approve", {}, output)


@incident.command()
@click.argument("id")
@click.option("--reason", required=True, help="Those who read it later need it.")
@output_option
@connected
def deny(remote: Remote, id: str, reason: str, output: str) -> None:  # noqa: A002 - as the user says
    """Say no to an incident that asks."""
    _decide(remote, id, "deny", {"reason": reason}, output)


@incident.command()
@click.argument("id")
@click.option("--reason", required=True, help="Those who read it later need it.")
@output_option
@connected
def cancel(remote: Remote, id: str, reason: str, output: str) -> None:  # noqa: A002 - as the user says
    """Take over: healer ends what it does there."""
    _decide(remote, id, "cancel", {"reason": reason}, output)


@incident.command()
@click.argument("id")
@connected
def report(remote: Remote, id: str) -> None:  # noqa: A002 - as the user says
    """The postmortem in Markdown, from the timeline."""
    known = remote.get(incident_path(id))
    click.echo(postmortem(known, remote.get(incident_path(id, "/timeline"))["entries"]), nl=False)


def listed(remote: Remote, *, state: str, service: str, limit: int) -> tuple[list[Document], bool]:
    """As many as asked for, however many pages that takes; and whether there are more."""
    found: list[Document] = []
    cursor = ""
    while len(found) < limit:
        page = remote.get(
            "/api/v1/incidents",
            state=state,
            service=service,
            limit=min(_PAGE, limit - len(found)),
            cursor=cursor,
        )
        found.extend(page["incidents"])
        cursor = page["cursor"] or ""
        if not cursor:
            return found, False
    return found, True


def table(incidents: list[Document]) -> str:
    """A line an incident."""
    rows = [
        (
            str(one["id"]),
            str(one["state"]),
            str(one["severity"]),
            f"{moment(one['opened_at']):%Y-%m-%d %H:%M:%S}" if one["opened_at"] else "",
            str(one["service"]),
            str(one["playbook"] or "-"),
            str(one["headline"]),
        )
        for one in incidents
    ]
    head = ("ID", "STATE", "SEVERITY", "OPENED (UTC)", "SERVICE", "PLAYBOOK", "HEADLINE")
    return columns(head, rows) if rows else "no incidents"


def _decide(remote: Remote, id: str, verb: str, given: Mapping[str, str], output: str) -> None:  # noqa: A002 - as the user says
    done = remote.post(incident_path(id, f"/{verb}"), given)
    emit(output, done, lambda: clean(f"{done['incident']} {done['done']} by {done['by']}"))


def _header(known: Mapping[str, Any]) -> str:
    about = {
        "Incident": str(known["id"]),
        "State": str(known["state"]),
        "Headline": str(known["headline"]),
        "Service": str(known["service"]),
        "Target": str(known["target"]),
        "Playbook": str(known["playbook"] or "none"),
        "Severity": str(known["severity"]),
        "Firing": f"{known['firing']} of {len(known['alerts'])} alerts",
    }
    return fields(about)


def _shown(known: Document, entries: list[Document]) -> str:
    printer = TimelinePrinter(width=terminal_width())
    lines = [printer.line(entry) for entry in entries]
    return "\n".join([_header(known), "", printer.head(), *lines])


def _follow(remote: Remote, known: Document, entries: list[Document], output: str) -> None:
    """What is there, then what happens; for programs, a document an entry."""
    printer = TimelinePrinter(width=terminal_width())
    if output == "table":
        click.echo(f"{_header(known)}\n\n{printer.head()}")
    after = int(entries[-1]["seq"]) if entries else 0
    for entry in chain(
        entries, remote.events(incident_path(str(known["id"]), "/timeline"), after=after)
    ):
        _print_entry(entry, printer, output)
        if entry["event"]["type"] == "Closed":
            return  # only notices may follow, and a channel that is away must not keep us


def _print_entry(entry: Document, printer: TimelinePrinter, output: str) -> None:
    match output:
        case "json":
            click.echo(json.dumps(entry, ensure_ascii=False))  # a line each, as jq likes it
        case "yaml":
            click.echo("---")
            emit(output, entry, str)
        case _:
            click.echo(printer.line(entry))
