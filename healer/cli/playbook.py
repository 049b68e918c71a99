"""`healer playbook list | show | schema | explain`: what is in force, and what would start."""

import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from healer.cli.output import clean, columns, emit, fields, output_option
from healer.engine.correlate import find_service, route
from healer.errors import Fault
from healer.intake.payload import PayloadError, parse
from healer.kit.clock import SystemClock
from healer.kit.duration import format_duration
from healer.model.alert import Alert
from healer.model.playbook import Playbook
from healer.model.service import Service
from healer.playbook.document import read
from healer.playbook.explain import what_fails, why
from healer.playbook.loader import load
from healer.playbook.publish import json_schema
from healer.playbook.vocabulary import Vocabulary
from healer.settings import Settings, read_settings

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where playbooks are taken from: those named, or those of the configuration."""

    config: Path
    paths: tuple[Path, ...]


def the_vocabulary(ctx: click.Context) -> Vocabulary:
    """The one that the caller brought (`obj=`), or that of the daemon."""
    brought = ctx.find_object(Vocabulary)
    if brought is not None:
        return brought
    provide: Callable[[], Vocabulary] = importlib.import_module("healer.app.vocabulary").vocabulary
    return provide()


def source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--config` and `--playbooks`, as two parameters."""
    config = click.option(
        "--config",
        default="healer.yaml",
        show_default=True,
        type=click.Path(path_type=Path),
        help="Names the services and the playbooks.",
    )
    paths = click.option(
        "--playbooks",
        multiple=True,
        type=click.Path(exists=True, path_type=Path),
        help="A file or folder instead of those that the configuration names; may be repeated.",
    )
    return config(paths(command))


@click.group()
def playbook() -> None:
    """Look at playbooks, without running any."""


@playbook.command(name="list")
@source_options
@output_option
@click.pass_context
def list_(ctx: click.Context, config: Path, playbooks: tuple[Path, ...], output: str) -> None:
    """All usable playbooks. Exit code 1 where others have faults."""
    source = Source(config=config, paths=playbooks)
    known, faults = _load(ctx, source)
    emit(output, [_document(one) for one in known], lambda: _table(known))
    _tell(ctx, faults)


@playbook.command()
@click.argument("name")
@source_options
@output_option
@click.pass_context
def show(
    ctx: click.Context, name: str, config: Path, playbooks: tuple[Path, ...], output: str
) -> None:
    """One playbook, with what it looks at and what it may do."""
    known, faults = _load(ctx, Source(config=config, paths=playbooks))
    found = next((one for one in known if one.name == name), None)
    if found is None:
        for fault in faults:
            click.echo(str(fault), err=True)
        names = ", ".join(one.name for one in known) or "none"
        message = f"there is no usable playbook {name}; usable: {names}"
        raise click.ClickException(message)
    emit(output, _document(found), lambda: _page(found))


@playbook.command()
@click.pass_context
def schema(ctx: click.Context) -> None:
    """The JSON Schema of playbook files, for editors."""
    click.echo(json.dumps(json_schema(the_vocabulary(ctx)), indent=2))


@playbook.command()
@click.option(
    "--alert",
    "file",
    required=True,
    type=click.File("rb"),
    help="A webhook body as Alertmanager sends it; - for stdin.",
)
@source_options
@output_option
@click.pass_context
def explain(
    ctx: click.Context, file: Any, config: Path, playbooks: tuple[Path, ...], output: str
) -> None:
    """Which playbook an alert starts, for which service and target, and why no other."""
    settings = _settings(config)
    services = tuple(settings.known_services.values())
    known, faults = _load(ctx, Source(config=config, paths=playbooks))
    try:
        group = parse(file.read())
    except PayloadError as error:
        message = f"{file.name}: not what Alertmanager sends: {error}"
        raise click.ClickException(message) from error
    rows = [_explain(alert, services, known) for alert in group.alerts]
    emit(output, rows, lambda: "\n\n".join(map(_explained, rows)) or "the group has no alerts")
    _tell(ctx, faults)


def read_all(ctx: click.Context, source: Source) -> tuple[tuple[Playbook, ...], dict[str, Service]]:
    """The playbooks and the services; no return where any of them has faults."""
    settings = _settings(source.config)
    loaded = load(source.paths or settings.playbooks, the_vocabulary(ctx), settings.known_services)
    _tell(ctx, loaded.faults)
    return loaded.playbooks, settings.known_services


def _settings(config: Path) -> Settings:
    """Secrets are not looked for: who only reads need not have them."""
    if not config.exists():
        message = f"there is no {config}: name it with --config"
        raise click.UsageError(message)
    settings, faults = read_settings(read(config), secrets=False)
    if settings is None:
        raise click.ClickException("\n".join(map(str, faults)))
    return settings


def _load(ctx: click.Context, source: Source) -> tuple[tuple[Playbook, ...], tuple[Fault, ...]]:
    if source.paths:
        loaded = load(source.paths, the_vocabulary(ctx))
    else:
        settings = _settings(source.config)
        loaded = load(settings.playbooks, the_vocabulary(ctx), settings.known_services)
    return loaded.playbooks, loaded.faults


def _tell(ctx: click.Context, faults: Sequence[Fault]) -> None:
    for fault in faults:
        click.echo(str(fault), err=True)
    if faults:
        ctx.exit(1)


def _explain(alert: Alert, services: Sequence[Service], known: Sequence[Playbook]) -> Row:
    row: Row = {"alert": alert.name, "status": str(alert.status), "labels": dict(alert.labels)}
    service = find_service(services, alert)
    where = route(alert, services=services, playbooks=known, now=SystemClock().now())
    if service is None or where is None:
        misses = {one.name: what_fails(one.match, alert.labels) for one in services}
        return {**row, "service": None, "starts": None, "services": misses}
    winner = where.playbook
    others = [one for one in known if one is not winner]
    return {
        **row,
        "service": service.name,
        "starts": winner.name if winner and alert.firing else None,
        "mode": str(winner.mode) if winner else None,
        "target": str(where.key.target),
        "severity": where.severity,
        "because": why(winner, service.name, alert.labels, winner=winner) if winner else "",
        "others": {one.name: why(one, service.name, alert.labels, winner=winner) for one in others},
    }


def _explained(row: Row) -> str:
    head = f"{row['alert'] or 'an alert without a name'} ({row['status']})"
    if row["service"] is None:
        lines = [f"{head}: about no service"]
        lines += [f"  {name}: {reason}" for name, reason in row["services"].items()]
        return "\n".join(map(clean, lines))
    lines = [f"{head}: {_verdict(row)}"]
    about = {key: row[key] or "" for key in ("service", "target", "severity", "mode", "because")}
    lines += [f"  {line}" for line in fields(about).splitlines()]
    lines += [f"  not {name}: {reason}" for name, reason in row["others"].items()]
    return "\n".join(map(clean, lines))


def _verdict(row: Row) -> str:
    if row["status"] != "firing":
        return "starts nothing, for it is resolved"
    return f"starts {row['starts']}" if row["starts"] else "starts nothing"


def _table(known: Sequence[Playbook]) -> str:
    rows = [
        (one.name, str(one.mode), ", ".join(one.services) or "any", one.digest, one.title)
        for one in known
    ]
    return columns(("NAME", "MODE", "SERVICES", "DIGEST", "TITLE"), rows)


def _page(one: Playbook) -> str:
    alternatives = " or ".join(", ".join(map(str, matchers)) for matchers in one.match)
    head = {
        "name": one.name,
        "title": one.title,
        "runbook": one.runbook,
        "file": one.path,
        "digest": one.digest,
        "mode": str(one.mode),
        "services": ", ".join(one.services) or "any that owns the alert",
        "match": alternatives,
        "target": one.target,
        "guards": ", ".join(part.guard for part in one.guards),
    }
    lines = [fields(head), "", "looks at"]
    lines += [f"  {part.id}: {part.check} {_params(part.params)}" for part in one.diagnose]
    for remedy in one.remedies:
        lines += ["", f"{remedy.name}, when {remedy.when}"]
        lines += [
            f"  {step.id}: {step.action} {_params(step.params)}" for step in remedy.steps
        ] or ["  reports only"]
    lines += ["", f"healed when {one.verify.until}, for {format_duration(one.verify.for_)}"]
    return "\n".join(line.rstrip() for line in lines)


def _params(params: Mapping[str, object]) -> str:
    return json.dumps(params, ensure_ascii=False) if params else ""


def _document(one: Playbook) -> Row:
    raw = {**asdict(one), "match": [[str(m) for m in matchers] for matchers in one.match]}
    plain: Row = json.loads(json.dumps(raw, default=_span))
    plain["verify"]["for"] = plain["verify"].pop("for_")
    return plain


def _span(value: object) -> str:
    return format_duration(value) if isinstance(value, timedelta) else str(value)
