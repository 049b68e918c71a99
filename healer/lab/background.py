"""A lab in a process of its own, which goes on when the command that started it has ended."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

from healer.lab.monitoring.child import StartError
from healer.lab.state import Home, State, alive
from healer.lab.world import Plan

UP_WITHIN = 300.0
DOWN_WITHIN = 60.0
EVERY = 0.1


def start(plan: Plan, *, relay: Callable[[str], None]) -> State:
    """Returns when the lab is up; until then `relay` is given what it says."""
    home = plan.home
    home.path.mkdir(parents=True, exist_ok=True)
    with home.log.open("w") as written, home.log.open() as said:
        child = subprocess.Popen(
            _argv(plan),
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
            start_new_session=True,
        )

        def settled() -> bool:
            relay(said.read())
            return child.poll() is not None or home.read() is not None

        try:
            within(UP_WITHIN, settled)
        except BaseException:
            child.terminate()
            raise
        relay(said.read())
    state = home.read()
    if state is None:
        child.terminate()
        message = f"the lab did not start; what it said is in {home.log}"
        raise StartError(message)
    return state


def stop(home: Home) -> None:
    """End the lab that runs; returns when nothing of it is left. PermanentError where none runs."""
    state = home.require()
    os.kill(state.pid, signal.SIGTERM)
    if not within(DOWN_WITHIN, lambda: not alive(state.pid)):
        os.kill(state.pid, signal.SIGKILL)  # its children die with it
    home.forget()


def within(seconds: float, done: Callable[[], bool]) -> bool:
    """Whether it was done in time."""
    pause = threading.Event()
    for _ in range(round(seconds / EVERY)):
        if done():
            return True
        pause.wait(EVERY)
    return done()


def _argv(plan: Plan) -> list[str]:
    argv = [sys.executable, "-m", "healer", "lab", "up", "--foreground"]
    argv += ["--home", str(plan.home.path), "--factor", str(plan.factor)]
    argv += [word for name in plan.services for word in ("--service", name)]
    return argv + [flag for flag, on in (("--dry-run", plan.dry_run), ("--keep", plan.keep)) if on]
