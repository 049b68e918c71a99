"""Commands inside a running container: what `exec` starts."""

import asyncio
import contextlib
import os
import shutil
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from functools import cache
from typing import Literal

from healer.lab.node.holder import Holder, HolderError, piped
from healer.lab.node.program import Program, spawn

Piece = tuple[Literal[1, 2], bytes]


class Session:
    """A command in the mounts and the environment of a container."""

    def __init__(self, process: Process, *, holder: Holder) -> None:
        self._process = process
        self._holder = holder
        self._left = False

    @property
    def alive(self) -> bool:
        """Whether anything of it is left."""
        return not self._left

    async def write(self, data: bytes) -> None:
        """Feed its stdin; b'' closes it."""
        stdin = piped(self._process.stdin)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if data:
                stdin.write(data)
                await stdin.drain()
            else:
                stdin.close()

    async def output(self) -> AsyncIterator[Piece]:
        """Pieces of stdout (1) and stderr (2), as they come."""
        pieces: asyncio.Queue[Piece | None] = asyncio.Queue(maxsize=64)
        async with asyncio.TaskGroup() as group:
            pumps = (
                group.create_task(_pump(1, self._process.stdout, pieces)),
                group.create_task(_pump(2, self._process.stderr, pieces)),
            )
            closed = 0
            while closed < len(pumps):
                piece = await pieces.get()
                if piece is None:
                    closed += 1
                else:
                    yield piece

    async def wait(self) -> int:
        """Its exit code; 128 + n for signal n."""
        code = await self._process.wait()
        if not self._left and not self._signal(0):
            self._left = True
            with contextlib.suppress(HolderError):
                await self._holder.forget(self._process.pid)
        return code if code >= 0 else 128 - code

    async def kill(self) -> None:
        """End it with all it started."""
        self.end()
        await self.wait()

    def end(self) -> None:
        """The same, without waiting: what the end of the container does to it."""
        if not self._left:
            self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> bool:
        """Signal all that is left of it; whether there was anything."""
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return False
        return True


async def _pump(
    number: Literal[1, 2], source: asyncio.StreamReader | None, pieces: asyncio.Queue[Piece | None]
) -> None:
    while data := await piped(source).read(65536):
        await pieces.put((number, data))
    await pieces.put(None)


async def enter(program: Program, argv: Sequence[str], *, holder: Holder) -> Session:
    """Start a command where a program lives, which a drill does often: hence without Python.

    Exit code 127 where there is no such command, 126 where it cannot be executed.
    """
    process = await spawn(
        [*_way_into(program, rootless=holder.rootless), *argv],
        holder=holder,
        environment=program.recipe.environment,
        output=PIPE,
    )
    return Session(process, holder=holder)


def _way_into(program: Program, *, rootless: bool) -> list[str]:
    """Into its namespaces and its folder; to be killed when the lab is."""
    spaces = f"/proc/{program.pid}/ns"
    user = [f"--user={spaces}/user"] if rootless else []
    return [
        *(_tool("nsenter"), "--preserve-credentials", *user, f"--mount={spaces}/mnt"),
        *(_tool("env"), f"--chdir={program.recipe.folder}"),
        *(_tool("setpriv"), "--pdeathsig=KILL"),
    ]


@cache
def _tool(name: str) -> str:
    """The path of one of util-linux or coreutils."""
    if (found := shutil.which(name)) is None:
        raise HolderError(f"the lab needs {name} to run a command in a pod, and finds none")
    return found
