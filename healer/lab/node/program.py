"""A container's program as a real process, from start to reaping."""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from healer.lab.node.holder import Holder, HolderError, command
from healer.lab.node.memory import Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What to start, and with what around it."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    folder: str
    mounts: Sequence[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    memory: Memory


class Program:
    """A running program; it and all it started die when it is killed, and with the lab."""

    def __init__(
        self, process: Process, *, holder: Holder, recipe: Recipe, problem: str = ""
    ) -> None:
        self._process = process
        self.problem = problem
        """Why the program could not even begin, if so."""
        self._holder = holder
        self.recipe = recipe
        self.pid = process.pid
        self._cleared = False

    @property
    def running(self) -> bool:
        """Whether it has not been seen to end."""
        return self._process.returncode is None

    @property
    def out_of_memory(self) -> bool:
        """Whether the kernel killed it for its memory limit."""
        return self.recipe.memory.kills() > 0

    async def wait(self) -> int:
        """Its exit status: -n for signal n. Whatever it left behind is killed."""
        code = await self._process.wait()
        if not self._cleared:
            self._cleared = True  # once: the number may soon belong to another group
            self._signal_all(signal.SIGKILL)
            with contextlib.suppress(HolderError):
                await self._holder.forget(self.pid)
        return code

    async def terminate(self, grace: float) -> int:
        """Ask it to end, and kill it when the time is up."""
        try:
            async with asyncio.timeout(grace):
                if self.running:
                    self._process.terminate()
                return await self.wait()
        except TimeoutError:
            return await self.kill()

    async def kill(self) -> int:
        """End it now."""
        if self.running:
            self._signal_all(signal.SIGKILL)
        return await self.wait()

    def _signal_all(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


async def start(recipe: Recipe, *, holder: Holder, log: int) -> Program:
    """Start a container's program; `log` is a descriptor that takes what it writes."""
    spec = {
        "holder": holder.pid,
        "user": holder.rootless,
        "base": str(holder.base),
        "mounts": list(recipe.mounts),
        "cgroups": recipe.memory.make(),
        "argv": list(recipe.argv),
        "folder": recipe.folder,
        "parent": os.getpid(),
    }
    process, problem = await launch(
        "pod", spec, holder=holder, environment=recipe.environment, output=log
    )
    return Program(process, holder=holder, recipe=recipe, problem=problem)


async def launch(
    mode: str,
    spec: dict[str, Any],
    *,
    holder: Holder,
    environment: Mapping[str, str],
    output: int,
) -> tuple[Process, str]:
    """Start the launcher and wait until it has become the program, or why it could not."""
    started, told = os.pipe()
    argv = command(mode, spec | {"started": told})
    try:
        process = await spawn(
            argv, holder=holder, environment=environment, output=output, inherited=(told,)
        )
    except BaseException:
        os.close(started)
        raise
    finally:
        os.close(told)
    try:
        return process, await _read(started)
    except BaseException:
        await _end(process)
        raise


async def spawn(
    argv: Sequence[str],
    *,
    holder: Holder,
    environment: Mapping[str, str],
    output: int,
    inherited: Sequence[int] = (),
) -> Process:
    """Start a process in a group of its own, which dies with the lab."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=PIPE if output == PIPE else DEVNULL,
        stdout=output,
        stderr=output,
        env=dict(environment),
        start_new_session=True,
        pass_fds=inherited,
    )
    try:
        await holder.watch(process.pid)
    except BaseException:
        await _end(process)
        raise
    return process


async def _end(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


async def _read(descriptor: int) -> str:
    """All that comes until the other end is closed."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb")
    )
    try:
        return (await reader.read()).decode(errors="replace")
    finally:
        transport.close()
