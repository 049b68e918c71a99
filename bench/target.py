"""What is measured: a server in a process of its own, where it listens, and what it used."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server that answers at `url` now. `arguments` are what the generator needs beside it."""

    url: str
    pid: int
    arguments: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server by name, started on a fresh folder for every measurement."""

    name: str
    start: Callable[[Path], AbstractAsyncContextManager[Running]]
    sorted: Callable[[Running, int], Awaitable[None]] | None = None
    """Returns when it has dealt with so many alerts; None where recording is all that it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a process has used so far: seconds of CPU, memory now and the most it ever held."""

    cpu: float
    now: int
    peak: int


def usage(pid: int) -> Usage:
    """As the kernel tells in /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text()
    now, peak = (int(status.partition(f"{name}:")[2].split()[0]) for name in ("VmRSS", "VmHWM"))
    cpu = (int(fields[11]) + int(fields[12])) / _TICKS
    return Usage(cpu=cpu, now=now * 1024, peak=peak * 1024)


@asynccontextmanager
async def process(
    *command: str,
    quiet: bool = False,
    output: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Python with these arguments; ended, whatever happens.

    `output` is the file that takes all it says, `environment` is set beside the present one.
    """
    with ExitStack() as files:
        written = None if output is None else files.enter_context(output.open("wb"))
        started = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            stdout=written or asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL if quiet else written,
            env={**os.environ, **(environment or {})},  # noqa: TID251 - handed on, not read
        )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(10):
                    await started.wait()
            except TimeoutError:
                started.kill()
                await started.wait()


@asynccontextmanager
async def floor(folder: Path) -> AsyncGenerator[Running]:
    """The plainest server."""
    async with process("-m", "bench.floor", str(folder / "floor.db")) as server:
        if server.stdout is None:
            message = "the floor has no output"
            raise RuntimeError(message)
        async with asyncio.timeout(20):
            port = int(await server.stdout.readline())
        yield Running(url=f"http://127.0.0.1:{port}/", pid=server.pid)


FLOOR = Target(name="floor", start=floor)
