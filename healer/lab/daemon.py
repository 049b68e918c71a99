"""The unchanged daemon as a child of the lab: `healer serve`, with a healer.yaml of its own."""

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from healer.lab.monitoring.child import StartError
from healer.lab.node.ground import plain_environment
from healer.lab.node.holder import command
from healer.lab.site import ROOT

READY_WITHIN = 30.0
END_WITHIN = 15.0


@dataclass(slots=True, kw_only=True)
class Daemon:
    """`start`, `stop` (SIGTERM) and `kill` (SIGKILL); it may be started again."""

    config: Path
    url: str
    environment: Mapping[str, str]
    log: Path
    dry_run: bool = False
    _process: Process | None = None

    async def start(self) -> None:
        """Run it; returns when it says that it is ready."""
        argv = [sys.executable, "-m", "healer", "serve", "--config", str(self.config)]
        argv += ["--dry-run"] if self.dry_run else []
        spec = {"argv": argv, "parent": os.getpid(), "folder": str(ROOT)}
        with self.log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *command("plain", spec),
                stdin=DEVNULL,
                stdout=output,
                stderr=output,
                env={**plain_environment(), **self.environment},
                start_new_session=True,
            )
        try:
            await self._ready(self._process)
        except BaseException:
            await self.kill()
            raise

    async def stop(self) -> None:
        """Ask it to end; kill it where it does not."""
        process = self._process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(END_WITHIN):
                await process.wait()
        except TimeoutError:
            await self.kill()
        self._process = None

    async def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
            self._process = None

    async def _ready(self, process: Process) -> None:
        try:
            async with asyncio.timeout(READY_WITHIN), aiohttp.ClientSession() as session:
                while process.returncode is None:
                    with contextlib.suppress(aiohttp.ClientError):
                        async with session.get(f"{self.url}/readyz") as answer:
                            if answer.status == 200:
                                return
                    await asyncio.sleep(0.05)
        except TimeoutError:
            pass
        tail = self.log.read_text(errors="replace")[-2000:]
        message = f"healer did not become ready:\n{tail}"
        raise StartError(message)
