"""engine-stalls: a server waits for its device for ever; the process lives (SCENARIO-3).

The shipped liveness probe has it restarted at about the time at which EmergencyDegradation ripens;
so a release left the probe out before, as sites do that once saw it kill a server that was busy.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime

from healer.errors import PermanentError
from healer.lab.fault.contract import Say
from healer.lab.fault.flood import flowing
from healer.lab.fault.inside import send
from healer.lab.fault.proof import shown
from healer.lab.fault.rollout import released, without
from healer.lab.fault.silence import silenced
from healer.lab.remote import Remote
from healer.lab.site import SITES, Site

RATE = 0.4
"""Requests a second: enough for one to be caught, too few for those behind it to be refused."""
STALLED = 'degradation_mode{namespace="%s", pod="%s"}'
STALLED_WITHIN = 90.0
"""Half a minute without a step is a stall, and the first request may be late."""
OUT_WITHIN = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStalled:
    """One server of the service. What there is to hear before is silenced."""

    name: str = "engine-stalls"
    service: str = "llm-inference"
    lasts: bool = True

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[datetime | None]:
        """It begins when the server is out of traffic. In the end all pods are new."""
        site = SITES[self.service]
        async with contextlib.AsyncExitStack() as stack:
            async with silenced(remote, site, why="a release is rolled out", say=say):
                await stack.enter_async_context(released(remote, site, without("livenessProbe")))
                say("The release has left the liveness probe out.")
                pod = (await remote.ready_pods(site.namespace, site.selector))[0]
                # Whoever is called does not wait for a server that waits.
                stack.push_async_callback(remote.delete, "pods", site.namespace, pod, grace=1)
                await _stall(remote, site, pod, say=say)
                begun = datetime.now(UTC)
            yield begun


async def _stall(remote: Remote, site: Site, pod: str, *, say: Say) -> None:
    """Returns when the server is out of traffic, and no request is under way."""
    await send(remote, site, pod, "hang")
    say(f"{pod}: its device does not answer any more.")
    async with flowing(remote, site.name, rate=RATE, say=say):
        query = STALLED % (site.namespace, pod)
        await shown(remote, query, lambda value: value == 3, within=STALLED_WITHIN)
    await _out_of_traffic(remote, site, pod)
    say(f"{pod}: its engine makes no progress, and it gets no requests any more.")


async def _out_of_traffic(remote: Remote, site: Site, pod: str) -> None:
    try:
        async with asyncio.timeout(OUT_WITHIN):
            while pod in await remote.ready_pods(site.namespace, site.selector):  # noqa: ASYNC110 asked over HTTP
                await asyncio.sleep(0.2)
    except TimeoutError:
        message = f"{pod} is still ready after {OUT_WITHIN:g} s"
        raise PermanentError(message) from None
