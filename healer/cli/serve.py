"""`healer serve`: the daemon, until it is told to stop."""

import asyncio
import gc
import json
import logging
import signal
import sys
from pathlib import Path

import click

from healer.app.daemon import daemon
from healer.errors import ConfigError, HealerError
from healer.notify.log import TIMELINE
from healer.settings import Settings, load_settings


@click.command()
@click.option(
    "--config",
    default="healer.yaml",
    show_default=True,
    type=click.Path(path_type=Path),
    help="The configuration.",
)
@click.option("--dry-run", is_flag=True, help="Change nothing; say what would be done.")
def serve(config: Path, dry_run: bool) -> None:
    """Receive alerts, run playbooks, prove the fix, tell people."""
    _log_as_json()
    try:
        settings = load_settings(config)
        asyncio.run(_serve(settings, dry_run=dry_run))
    except ConfigError as error:
        for fault in error.faults:
            click.echo(str(fault), err=True)
        sys.exit(1)
    except HealerError as error:
        click.echo(f"healer cannot start: {error}", err=True)
        sys.exit(1)


async def _serve(settings: Settings, *, dry_run: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    _collect_seldom()
    async with daemon(settings, dry_run=dry_run):
        await stop.wait()


def _collect_seldom() -> None:
    """What the daemon holds are values without cycles: looking through all of them is in vain."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


class _JsonLines(logging.Formatter):
    """One JSON object a line. What the timeline's log hands over is JSON already."""

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        line = {"level": record.levelname.lower(), "logger": record.name}
        if record.name == TIMELINE:
            return json.dumps(line)[:-1] + ", " + text[1:]
        line["at"] = self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z")
        line["message"] = text
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _log_as_json() -> None:
    out = logging.StreamHandler(sys.stderr)
    out.setFormatter(_JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[out])
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
