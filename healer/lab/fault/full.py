"""memory-full: a server fills its memory and then holds it, as under a heavy load (SCENARIO-3)."""

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime

from healer.lab.fault.contract import Say
from healer.lab.fault.inside import Defect, send
from healer.lab.fault.proof import shown
from healer.lab.fault.silence import silenced
from healer.lab.remote import Remote
from healer.lab.site import SITES

USED = "max(process_resident_memory_bytes{{where}} / process_memory_limit_bytes{{where}}) > 0.87"
RESIDENT = "max(process_resident_memory_bytes{{where}})"
STEADY_FOR = "12s"
"""Longer than the time over which its growth is looked at here."""
JITTER = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryFull:
    """That it fills up is silenced while it grows: the first alert is of memory that stays."""

    name: str = "memory-full"
    service: str = "llm-inference"
    lasts: bool = True

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[datetime | None]:
        """It begins when nothing grows any more. In the end the memory is given back."""
        site = SITES[self.service]
        growth = Defect(
            name=self.name,
            service=self.service,
            defect="leak",
            what="it takes memory",
            proof=USED,
        )
        async with contextlib.AsyncExitStack() as stack:
            async with silenced(remote, site, why="it is known that it takes memory", say=say):
                pods = await remote.ready_pods(site.namespace, site.selector)
                await stack.enter_async_context(growth.strike(remote, say=say))
                await send(remote, site, pods[0], "halt")
                resident = RESIDENT.replace("{where}", f'namespace="{site.namespace}"')
                over = f"[{STEADY_FOR}:1s]"
                grown = f"max_over_time({resident}{over}) - min_over_time({resident}{over})"
                await shown(remote, grown, lambda value: value < JITTER, within=60)
            say(f"{pods[0]}: its memory is nearly used up, and stays as it is.")
            yield datetime.now(UTC)
