"""flood: more requests than the replicas can answer, from a process of its own (INC-001)."""

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator

from healer.lab.fault.contract import Say
from healer.lab.remote import Remote
from healer.lab.site import ROOT, SITES

RATE = 10.0
"""Requests a second: above what two replicas answer, below what four do."""
END_WITHIN = 5.0


class Flood:
    """Lasts as long as its process does."""

    name = "flood"
    service = "largeforge"
    lasts = True

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[None]:
        """Requests come until the block ends."""
        url = remote.state.services[SITES[self.service].name]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "healer.lab.load"),
            *("--url", url, "--rate", str(RATE), "--parent", str(os.getpid())),
            stdout=PIPE,
            cwd=ROOT,
            start_new_session=True,
        )
        say(f"{RATE:g} requests a second now go to {self.service} ({url}).")
        try:
            yield
        finally:
            answers = await _end(process)
            say(f"The flood is over; answers by status: {answers}.")


async def _end(process: Process) -> str:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(END_WITHIN):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        said, _ = await process.communicate()
    try:
        counted = json.loads(said)
    except ValueError:
        return "unknown"
    return ", ".join(f"{number} x {status}" for status, number in counted.items()) or "none"
