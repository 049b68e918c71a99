"""Commands inside a running container: what `exec` starts."""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from typing import Literal

from healer.lab.node.holder import Holder, HolderError, command, piped
from healer.lab.node.program import Program

Piece = tuple[Literal[1, 2], bytes]


class Session:
    """A command in the mounts and the environment of a container."""

    def __init__(self, process: Process, *, holder: Holder) -> None:
        self._process = process
        self._holder = holder

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
        with contextlib.suppress(HolderError):
            await self._holder.forget(self._process.pid)
        return code if code >= 0 else 128 - code

    async def kill(self) -> None:
        """End it with all it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self.wait()


async def _pump(
    number: Literal[1, 2], source: asyncio.StreamReader | None, pieces: asyncio.Queue[Piece | None]
) -> None:
    while data := await piped(source).read(65536):
        await pieces.put((number, data))
    await pieces.put(None)


async def enter(program: Program, argv: Sequence[str], *, holder: Holder) -> Session:
    """Start a command where a program lives."""
    spec = {
        "inside": program.pid,
        "user": holder.rootless,
        "argv": list(argv),
        "folder": program.recipe.folder,
        "parent": os.getpid(),
    }
    process = await asyncio.create_subprocess_exec(
        *command("enter", spec),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        env=dict(program.recipe.environment),
        start_new_session=True,
    )
    await holder.watch(process.pid)
    return Session(process, holder=holder)
