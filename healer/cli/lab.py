"""`healer lab`: a cluster on one machine, faults that are real, and drills that are timed."""

import asyncio
import functools
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import fields as fields_of
from dataclasses import replace
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import click

from healer.cli.drill import as_table, as_text
from healer.cli.output import clean, emit, fields, output_option
from healer.errors import HealerError, PermanentError
from healer.lab import background
from healer.lab.drill.catalog import SCENARIOS
from healer.lab.drill.folder import write as write_report
from healer.lab.drill.report import REACTS_WITHIN, Report
from healer.lab.drill.scenario import Scenario
from healer.lab.drill.series import each_alone, in_running
from healer.lab.fault.catalog import FAULTS
from healer.lab.remote import connected
from healer.lab.site import SITES
from healer.lab.state import Home, State, default_home
from healer.lab.world import FACTOR, Plan, world

P = ParamSpec("P")
R = TypeVar("R")

SECRET = frozenset({"token", "operator", "ca"})


def say(line: str) -> None:
    """Progress."""
    click.echo(clean(line), err=True)


def at_home(command: Callable[Concatenate[Home, P], R]) -> Callable[P, R]:
    """A decorator: gives a command `--home`, and the place it names as first argument."""

    @click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        default=default_home,
        envvar="HEALER_LAB_HOME",
        show_envvar=True,
        help="Where labs keep their model and state; by default in the user's cache.",
    )
    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        home = kwargs.pop("home")
        if not isinstance(home, Path):
            raise TypeError("click gives a path here")
        try:
            return command(Home(home.absolute()), *args, **kwargs)
        except HealerError as error:
            raise click.ClickException(str(error)) from error

    return wrapped


def planned(command: Callable[Concatenate[Plan, P], R]) -> Callable[P, R]:
    """A decorator: gives a command the options of a new lab, and its plan as first argument."""

    @click.option("--dry-run", is_flag=True, help="healer only says what it would do.")
    @click.option("--keep", is_flag=True, help="Leave logs and files behind.")
    @click.option(
        "--factor",
        type=click.FloatRange(1, 300),
        default=FACTOR,
        show_default=True,
        help="How many times as fast time runs.",
    )
    @at_home
    @functools.wraps(command)
    def wrapped(home: Home, /, *args: P.args, **kwargs: P.kwargs) -> R:
        given = {name: kwargs.pop(name) for name in ("dry_run", "keep", "factor")}
        factor = given["factor"]
        plan = Plan(
            home=home,
            factor=factor if isinstance(factor, float) else FACTOR,
            dry_run=bool(given["dry_run"]),
            keep=bool(given["keep"]),
        )
        return command(plan, *args, **kwargs)

    return wrapped


@click.group()
def lab() -> None:
    """A cluster on this machine, to see and to practise healing; no Kubernetes is needed."""


# ---------------------------------------------------------------------------------------- its life


@lab.command()
@click.option("--service", "services", multiple=True, type=click.Choice(tuple(SITES)))
@click.option("--foreground", is_flag=True, help="Stay here until Ctrl-C.")
@planned
def up(plan: Plan, *, services: Sequence[str], foreground: bool) -> None:
    """Start a lab with all services, or only some, and leave it running."""
    known = plan.home.read()
    if known is not None:
        message = f"a lab is running already (process {known.pid}); see `healer lab status`"
        raise click.ClickException(message)
    if services:
        plan = replace(plan, services=tuple(services))
    if foreground:
        _run(_stay(plan))
        return
    state = background.start(plan, relay=lambda text: click.echo(text, err=True, nl=False))
    click.echo(_described(state))


@lab.command()
@at_home
def down(home: Home) -> None:
    """End the lab and everything that belongs to it."""
    background.stop(home)
    click.echo("the lab is down")


@lab.command()
@output_option
@at_home
def status(home: Home, *, output: str) -> None:
    """Where everything of the running lab is. Exit code 1 where none runs."""
    state = home.require()
    shown = {one.name: getattr(state, one.name) for one in fields_of(state)}
    public = {name: content for name, content in shown.items() if name not in SECRET}
    emit(output, public, lambda: _described(state))


@lab.command()
@click.argument("fault", type=click.Choice(tuple(FAULTS)))
@at_home
def inject(home: Home, *, fault: str) -> None:
    """Break something in the running lab, and look on. What lasts goes on until Ctrl-C."""
    _run(_inject(fault, home.require()))


# ------------------------------------------------------------------------------------------ drills


@lab.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option(
    "--report",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write what came of it into this folder: plots, Markdown, HTML, and an index.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 8),
    default=1,
    show_default=True,
    help="How many drills at a time, each in its lab; two go well on two cores.",
)
@click.option(
    "--first-step",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    default=REACTS_WITHIN,
    show_default=True,
    help="How late after its alert the first step may come; more where the machine is busy.",
)
@output_option
@planned
def drill(
    plan: Plan, *, names: Sequence[str], report: Path | None, jobs: int, first_step: float,
    output: str,
) -> None:  # fmt: skip
    """Break a service, watch what healer does, and say how long it took; NAME may be `all`.

    In the running lab, or each in a new one of its own. Exit code 0 only if every drill ended as
    it must: verified healed, or left untouched where a cure would be wrong, and a person told why.
    With --dry-run, if all was rehearsed and nothing touched.
    """
    chosen = SCENARIOS if tuple(names) == ("all",) else names
    scenarios = [_scenario(name) for name in chosen]
    reports = _run(
        _drill(plan, scenarios, own=plan.dry_run, jobs=jobs, report=report, first_step=first_step)
    )
    emit(
        output,
        [report.as_json() for report in reports],
        lambda: _told(reports),
    )
    sys.exit(0 if all(one.passed for one in reports) else 1)


@lab.command()
@planned
def demo(plan: Plan) -> None:
    """See it once: a real inference server breaks, and healer heals it."""
    scenario = SCENARIOS["SCENARIO-2"]
    say("healer demo: real inference servers, a real fault, a real Alertmanager; about a minute.")
    say("Nothing outside this machine is touched, and everything is taken down again.")
    (report,) = _run(_drill(plan, [scenario], own=True))
    click.echo(as_text(report))
    if not report.passed:
        say("It was not healed; what happened is above.")
        sys.exit(1)
    say("All of that was real. Next: `healer lab drill INC-001`, or `healer lab up` and look.")


# ------------------------------------------------------------------------------------- how it runs


async def _stay(plan: Plan) -> None:
    async with world(plan, say=say) as made:
        plan.home.write(made.state)
        try:
            await asyncio.Event().wait()
        finally:
            plan.home.forget()


async def _inject(fault: str, state: State) -> None:
    async with connected(state) as remote:
        found = FAULTS[fault]
        if found.service not in state.services:
            message = f"{found.service} does not run in this lab"
            raise PermanentError(message)
        async with found.strike(remote, say=say):
            if found.lasts:
                say("Ctrl-C ends it.")
                await asyncio.Event().wait()


async def _drill(
    plan: Plan,
    scenarios: Sequence[Scenario],
    *,
    own: bool,
    jobs: int = 1,
    report: Path | None = None,
    first_step: float = REACTS_WITHIN,
) -> list[Report]:
    """In the lab that runs, or each in one of its own; the report grows with every drill."""
    reports: dict[str, Report] = {}

    def done(one: Report) -> None:
        reports[one.scenario.name] = replace(one, reacts_within=first_step)
        if report is not None:
            write_report(report, in_order())

    def in_order() -> list[Report]:
        return [reports[one.name] for one in scenarios if one.name in reports]

    running = None if own else plan.home.read()
    if running is not None:
        say(f"In the lab that is running (process {running.pid}).")
        await in_running(running, scenarios, say=say, done=done)
    else:
        await each_alone(plan, scenarios, jobs=jobs, say=say, done=done)
    if report is not None:
        say(f"The report begins at {report / 'index.html'}.")
    return in_order()


def _told(reports: Sequence[Report]) -> str:
    """One drill is told whole; of many a table, and whole those that did not end as they must."""
    if len(reports) == 1:
        return as_text(reports[0])
    failed = [as_text(report) for report in reports if not report.passed]
    return "\n\n".join([*failed, as_table(reports)])


def _run(work: Coroutine[Any, Any, R]) -> R:
    """To the end, or to Ctrl-C or SIGTERM, which clean up as well."""
    try:
        return asyncio.run(_until_told(work))
    except (asyncio.CancelledError, KeyboardInterrupt):
        say("Stopped.")
        sys.exit(130)


async def _until_told(work: Coroutine[Any, Any, R]) -> R:
    me = asyncio.current_task()
    if me is not None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, me.cancel)
    return await work


def _scenario(name: str) -> Scenario:
    if name not in SCENARIOS:
        message = f"there is no drill {name!r}; there are: {', '.join(SCENARIOS)}, all"
        raise click.UsageError(message)
    return SCENARIOS[name]


def _described(state: State) -> str:
    return fields(
        {
            "process": str(state.pid),
            "time": f"{state.factor:g} times as fast",
            "mode": "dry-run: healer changes nothing" if state.dry_run else "",
            "services": ", ".join(f"{name} {url}" for name, url in state.services.items()),
            "healer": state.healer,
            "kubernetes": f"{state.kubernetes}  (export KUBECONFIG={state.kubeconfig})",
            "prometheus": state.prometheus,
            "alertmanager": state.alertmanager,
            "slack": f"{state.slack}/lab/state",
            "pagerduty": f"{state.pagerduty}/lab/state",
            "files": state.folder,
        }
    )
