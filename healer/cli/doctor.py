"""`healer doctor`: can it reach, and may it do, all that its playbooks need?"""

import asyncio
from dataclasses import asdict
from pathlib import Path

import click

from healer.app.doctor import Sign, examine
from healer.cli.output import columns, emit, output_option
from healer.errors import ConfigError
from healer.settings import load_settings


@click.command()
@click.option(
    "--config",
    default="healer.yaml",
    show_default=True,
    type=click.Path(path_type=Path),
    help="The configuration of the daemon; run this where the daemon runs, and as whom.",
)
@output_option
@click.pass_context
def doctor(ctx: click.Context, config: Path, output: str) -> None:
    """Ask Kubernetes, Prometheus and Alertmanager whether all that is needed is there and allowed.

    Changes nothing, and tells nobody. Exit code 1 where anything is missing.
    """
    if not config.exists():
        message = f"there is no {config}: name it with --config"
        raise click.UsageError(message)
    try:
        signs = asyncio.run(examine(load_settings(config)))
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    emit(output, [asdict(sign) for sign in signs], lambda: _table(signs))
    ctx.exit(0 if all(sign.well for sign in signs) else 1)


def _table(signs: list[Sign]) -> str:
    """What is not well comes first."""
    rows = [
        ("ok" if sign.well else "MISSING", sign.what, sign.seen)
        for sign in sorted(signs, key=lambda sign: sign.well)
    ]
    return columns(("STATE", "WHAT", "SEEN"), rows)
