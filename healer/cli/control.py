"""`healer pause`, `resume`, `status`: hold the daemon's hands, and see how it is."""

import click

from healer.cli.incident import listed, table
from healer.cli.output import clean, emit, output_option
from healer.cli.remote import Document, Remote, connected

_LOOKED_AT = 200


@click.command()
@click.option("--service", default="", help="Only this service; without it, everything.")
@click.option("--reason", required=True, help="Those who find it paused need it.")
@output_option
@connected
def pause(remote: Remote, service: str, reason: str, output: str) -> None:
    """Stop all remediation. Alerts are still recorded and people still told."""
    _control(remote, "pause", {"service": service, "reason": reason}, output)


@click.command()
@click.option("--service", default="", help="Only this service's pause.")
@output_option
@connected
def resume(remote: Remote, service: str, output: str) -> None:
    """Go on after a pause."""
    _control(remote, "resume", {"service": service}, output)


@click.command()
@output_option
@connected
@click.pass_context
def status(ctx: click.Context, remote: Remote, output: str) -> None:
    """Is it ready, is it paused, what is it doing? Exit code 1 when it is not ready."""
    known = remote.get("/api/v1/status")
    recent, _ = listed(remote, state="", service="", limit=_LOOKED_AT)
    unfinished = [one for one in recent if one["state"] != "closed"]
    emit(output, {**known, "incidents": unfinished}, lambda: _status(known, unfinished))
    if not known["ready"]:
        ctx.exit(1)


def _control(remote: Remote, verb: str, given: dict[str, str], output: str) -> None:
    done = remote.post(f"/api/v1/{verb}", given)
    what = f"service {done['service']}" if done["service"] else "all remediation"
    emit(output, done, lambda: clean(f"{what} {done['done']} by {done['by']}"))


def _status(known: Document, unfinished: list[Document]) -> str:
    ready = "ready" if known["ready"] else f"NOT READY: {known['reason']}"
    pauses = [
        f"PAUSED ({pause['service'] or 'everything'}) by {pause['by']}: {pause['reason']}"
        for pause in known["pauses"]
    ]
    return "\n".join([clean(ready), *map(clean, pauses or ["not paused"]), "", table(unfinished)])
