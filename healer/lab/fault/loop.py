"""A server that dies again and again, each time that it has come back (SCENARIO-3).

crash-loop         it crashes, with memory to spare
crash-loop-memory  it takes more memory than it may have, and the kernel kills it
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime

from healer.errors import PermanentError
from healer.lab.fault.contract import Say
from healer.lab.fault.hung import signalled
from healer.lab.fault.inside import send
from healer.lab.fault.proof import shown
from healer.lab.fault.silence import silenced
from healer.lab.remote import Remote
from healer.lab.site import SITES, Site

OFTEN = "max(pod:restarts:last_1h{{where}}) > 1"
DEATHS = 3
BACK_WITHIN = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Looping:
    """That it restarts is silenced while that is new: the first alert is that it does so often."""

    name: str
    defect: str = ""
    """What is woken in it each time; '' is a crash of the process."""
    service: str = "llm-inference"
    lasts: bool = True

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[datetime | None]:
        """It begins when it has died too often within the hour, and waits to be started again."""
        site = SITES[self.service]
        pod = (await remote.ready_pods(site.namespace, site.selector))[0]
        async with silenced(remote, site, why=f"it is known that {pod} died", say=say):
            for number in range(1, DEATHS + 1):
                await self._die(remote, site, pod)
                say(f"{pod} died {number} of {DEATHS} times.")
                if number < DEATHS:
                    await _ready(remote, site, pod, wanted=True)
            where = f'{{namespace="{site.namespace}"}}'
            await shown(remote, OFTEN.replace("{{where}}", where), lambda value: value > 0)
        yield datetime.now(UTC)

    async def _die(self, remote: Remote, site: Site, pod: str) -> None:
        if self.defect:
            await send(remote, site, pod, self.defect)
        else:
            await signalled(remote, site, pod, "SIGSEGV")
        await _ready(remote, site, pod, wanted=False)


async def _ready(remote: Remote, site: Site, pod: str, *, wanted: bool) -> None:
    try:
        async with asyncio.timeout(BACK_WITHIN):
            while True:
                ready = await remote.ready_pods(site.namespace, site.selector)
                if (pod in ready) is wanted:
                    return
                await asyncio.sleep(0.1)
    except TimeoutError:
        what = "did not come back" if wanted else "did not die"
        message = f"{pod} {what} within {BACK_WITHIN:g} s"
        raise PermanentError(message) from None
