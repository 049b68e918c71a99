"""`healer lab`: a cluster on one machine, faults that are real, and drills that are timed."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from healer.cli.drill import as_text
from healer.cli.output import clean, emit, fields, output_option
from healer.errors import HealerError, PermanentError
from healer.lab.drill.report import Report
from healer.lab.drill.run import drill as run_drill
from healer.lab.drill.scenario import SCENARIOS, Scenario
from healer.lab.fault.catalog import FAULTS
from healer.lab.remote import connected
from healer.lab.site import SITES
from healer.lab.state import Home, State, alive, default_home
from healer.lab.world import FACTOR, Plan, world

CommandT = TypeVar("CommandT", bound=Callable[..., Any])
ResultT = TypeVar("ResultT")

UP_WITHIN = 300.0
DOWN_WITHIN = 60.0


def say(line: str) -> None:
    """Progress."""
    click.echo(clean(line), err=True)


def _home_option(command: CommandT) -> CommandT:
    option = click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        default=default_home,
        envvar="HEALER_LAB_HOME",
        show_envvar=True,
        help="Where labs keep their model and state; by default in the user's cache.",
    )
    return option(command)


def _factor_option(command: CommandT) -> CommandT:
    option = click.option(
        "--factor",
        type=click.FloatRange(1, 300),
        default=FACTOR,
        show_default=True,
        help="How many times as fast time runs.",
    )
    return option(command)


@click.group()
def lab() -> None:
    """A cluster on this machine, to see and to practise healing; no Kubernetes is needed."""


# ---------------------------------------------------------------------------------------- its life


@lab.command()
@click.option("--service", "services", multiple=True, type=click.Choice(tuple(SITES)))
@click.option("--dry-run", is_flag=True, help="healer only says what it would do.")
@click.option("--foreground", is_flag=True, help="Stay here until Ctrl-C.")
@click.option("--keep", is_flag=True, help="Leave logs and files behind.")
@_factor_option
@_home_option
def up(
    *,
    services: Sequence[str],
    dry_run: bool,
    foreground: bool,
    keep: bool,
    factor: float,
    home: Path,
) -> None:
    """Start a lab with all services, or only some, and leave it running."""
    place = Home(home.absolute())
    known = place.read()
    if known is not None:
        message = f"a lab is running already (process {known.pid}); see `healer lab status`"
        raise click.ClickException(message)
    plan = Plan(
        home=place,
        services=services or tuple(SITES),
        factor=factor,
        dry_run=dry_run,
        keep=keep,
    )
    if foreground:
        _run(_stay(plan))
        return
    state = _start(plan)
    click.echo(_described(state))


@lab.command()
@_home_option
def down(*, home: Path) -> None:
    """End the lab and everything that belongs to it."""
    place = Home(home.absolute())
    state = _state(place)
    os.kill(state.pid, signal.SIGTERM)
    if not _within(DOWN_WITHIN, lambda: not alive(state.pid)):
        message = f"the lab (process {state.pid}) does not end"
        raise click.ClickException(message)
    place.forget()
    click.echo("the lab is down")


@lab.command()
@output_option
@_home_option
def status(*, output: str, home: Path) -> None:
    """Where everything of the running lab is. Exit code 1 where none runs."""
    state = _state(Home(home.absolute()))
    secret = ("token", "operator", "ca")
    shown = {name: getattr(state, name) for name in State.__slots__ if name not in secret}
    emit(output, shown, lambda: _described(state))


@lab.command()
@click.argument("fault", type=click.Choice(tuple(FAULTS)))
@_home_option
def inject(*, fault: str, home: Path) -> None:
    """Break something in the running lab, and look on. What lasts goes on until Ctrl-C."""
    state = _state(Home(home.absolute()))
    _run(_inject(fault, state))


# ------------------------------------------------------------------------------------------ drills


@lab.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("--dry-run", is_flag=True, help="healer only says what it would do.")
@click.option("--keep", is_flag=True, help="Leave logs and files behind.")
@_factor_option
@output_option
@_home_option
@click.pass_context
def drill(
    ctx: click.Context,
    *,
    names: Sequence[str],
    dry_run: bool,
    keep: bool,
    factor: float,
    output: str,
    home: Path,
) -> None:
    """Break a service, watch it being healed, and say how long it took; NAME may be `all`.

    In the running lab, or in one of its own. Exit code 0 only if all of it was verified healed.
    """
    scenarios = [_scenario(name) for name in (SCENARIOS if names == ("all",) else names)]
    plan = Plan(
        home=Home(home.absolute()),
        services=tuple({scenario.service for scenario in scenarios}),
        factor=factor,
        dry_run=dry_run,
        keep=keep,
    )
    reports = _run(_drill(plan, scenarios, own=dry_run))
    emit(
        output,
        [report.as_json() for report in reports],
        lambda: "\n\n".join(as_text(report) for report in reports),
    )
    ctx.exit(0 if all(report.passed for report in reports) else 1)


@lab.command()
@_factor_option
@_home_option
@click.pass_context
def demo(ctx: click.Context, *, factor: float, home: Path) -> None:
    """See it once: a real inference server breaks, and healer heals it."""
    scenario = SCENARIOS["SCENARIO-2"]
    say("healer demo: real inference servers, a real fault, a real Alertmanager; about a minute.")
    say("Nothing outside this machine is touched, and everything is taken down again.\n")
    plan = Plan(home=Home(home.absolute()), services=(scenario.service,), factor=factor)
    (report,) = _run(_drill(plan, [scenario], own=True))
    click.echo(as_text(report))
    if not report.passed:
        say("\nIt was not healed; what happened is above.")
        ctx.exit(1)
    say("\nThat was all real. Next: `healer lab up`, `healer lab drill INC-001`, README.md.")


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


async def _drill(plan: Plan, scenarios: Sequence[Scenario], *, own: bool) -> list[Report]:
    reports: list[Report] = []
    async with _lab(plan, own=own) as state, connected(state) as remote:
        for scenario in scenarios:
            reports.append(await run_drill(scenario, remote, say=say))
    return reports


@contextlib.asynccontextmanager
async def _lab(plan: Plan, *, own: bool) -> AsyncGenerator[State]:
    """The lab that runs, or one of our own for as long as it is needed."""
    running = None if own else plan.home.read()
    if running is not None:
        say(f"In the lab that is running (process {running.pid}).")
        yield running
        return
    async with world(plan, say=say) as made:
        yield made.state


def _run(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """To the end, or to Ctrl-C or SIGTERM, which clean up as well."""
    try:
        return asyncio.run(_until_told(work))
    except (asyncio.CancelledError, KeyboardInterrupt):
        say("Stopped.")
        sys.exit(130)
    except HealerError as error:
        raise click.ClickException(str(error)) from error


async def _until_told(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    me = asyncio.current_task()
    if me is not None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, me.cancel)
    return await work


def _start(plan: Plan) -> State:
    """A lab in a process of its own, with its progress shown here until it is up."""
    plan.home.path.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "healer", "lab", "up", "--foreground"]
    argv += ["--home", str(plan.home.path), "--factor", str(plan.factor)]
    argv += [word for name in plan.services for word in ("--service", name)]
    argv += [flag for flag, on in (("--dry-run", plan.dry_run), ("--keep", plan.keep)) if on]
    with plan.home.log.open("w") as written, plan.home.log.open() as said:
        child = subprocess.Popen(  # noqa: S603 - ourselves
            argv, stdin=subprocess.DEVNULL, stdout=written, stderr=written, start_new_session=True
        )

        def settled() -> bool:
            click.echo(said.read(), err=True, nl=False)
            return child.poll() is not None or plan.home.read() is not None

        try:
            _within(UP_WITHIN, settled)
        except KeyboardInterrupt:
            child.terminate()
            raise
        click.echo(said.read(), err=True, nl=False)
    state = plan.home.read()
    if state is None:
        child.terminate()
        message = "the lab did not start"
        raise click.ClickException(message)
    return state


def _within(seconds: float, done: Callable[[], bool]) -> bool:
    pause = threading.Event()
    for _ in range(round(seconds / 0.1)):
        if done():
            return True
        pause.wait(0.1)
    return done()


def _state(home: Home) -> State:
    try:
        return home.require()
    except HealerError as error:
        raise click.ClickException(str(error)) from error


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
