"""Daemons in processes of their own, born quickly: the other end of `tests.chaos.mortal_daemon`."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]


@dataclass
class Life:
    """One daemon. `appends` are the names of what it wrote, in order, append by append.

    `begun` are the steps that it started, and `healed` whether it saw its cure hold.
    """

    name: str
    log: Path
    port: int | None = None
    pid: int | None = None
    appends: list[list[str]] = field(default_factory=list[list[str]])
    begun: list[str] = field(default_factory=list[str])
    healed: bool = False
    dies: str = ""
    """The names of what was to be written when its time had come."""
    ended: int | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, told: dict[str, Any]) -> None:
        """A line from it, or about it."""
        match told:
            case {"port": int(port), "pid": int(pid)}:
                self.port, self.pid = port, pid
            case {"append": str(kinds), "begun": str(begun), "healed": bool(healed)}:
                self.appends.append(kinds.split())
                self.begun += begun.split()
                self.healed = self.healed or healed
            case {"dies": str(kinds)}:
                self.dies = kinds
            case {"ended": int(status)}:
                self.ended = status
            case _:
                raise AssertionError(told)
        self._news.set()

    @property
    def killed(self) -> bool:
        """Did it end by SIGKILL?"""
        return self.ended == -signal.SIGKILL

    def wrote(self, kind: str) -> bool:
        """Is such a line of its on disk?"""
        return any(kind in kinds for kinds in self.appends)

    async def change(self) -> None:
        """Wait for news of it."""
        await self._news.wait()
        self._news.clear()

    async def born(self) -> int:
        """Its port, once it listens; an error where it dies before (but by its own hand)."""
        while self.port is None and self.ended is None:
            await self.change()
        assert self.port is not None, self.log.read_text()
        return self.port

    async def until(self, kind: str) -> bool:
        """Wait until such a line is on disk; False where it died before."""
        while not self.wrote(kind) and self.ended is None:
            await self.change()
        return self.wrote(kind)

    async def kill(self) -> None:
        """kill -9, and wait for its end."""
        if self.pid is not None and self.ended is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        while self.ended is None:
            await self.change()


class Nursery:
    """Made by `nursery`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._lives: dict[str, Life] = {}

    def bear(
        self,
        config: Path,
        *,
        environment: Mapping[str, str] | None = None,
        dies_at: int | None = None,
        written: bool = True,
        spares: Collection[str] = (),
        passes: bool = False,
    ) -> Life:
        """A new daemon with that configuration, which dies at that write.

        Where it would die in the middle of a step that it `spares`, it dies at the end of it. It
        `passes` deliveries: they are kept, answered, and not counted.
        """
        name = str(len(self._lives))
        life = Life(name=name, log=config.with_name(f"daemon-{name}.log"))
        self._lives[name] = life
        order = {
            "life": name,
            "config": str(config),
            "environment": dict(environment or {}),
            "log": str(life.log),
            "dies_at": dies_at,
            "written": written,
            "spares": sorted(spares),
            "passes": passes,
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        return life

    async def listen(self) -> None:
        """Hand every line to the life it is about."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            told = json.loads(line)
            self._lives[told.pop("life")].hear(told)


@asynccontextmanager
async def nursery() -> AsyncGenerator[Nursery]:
    """One warm process; whatever it bore is dead when the block ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.chaos.mortal_daemon",
        cwd=_ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    made = Nursery(process)
    listening = asyncio.ensure_future(made.listen())
    try:
        yield made
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        await listening
