"""breaker-closing: circuits were open for 15 minutes, and will be tried soon (SCENARIO-5).

The volume was away for so long; somebody has just repaired it, and the servers do not know it yet.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime

from healer.errors import PermanentError
from healer.lab.contract import Object
from healer.lab.fault.breaker import YOUNG, away, paused
from healer.lab.fault.contract import Say
from healer.lab.fault.silence import silenced
from healer.lab.fault.ssd import STUCK, WRITABLE, sh, until
from healer.lab.remote import Remote
from healer.lab.site import ADMIN_KEY, SITES, Site

PAUSE = "8"
"""Seconds, with a tenth of jitter: what `self_heal_seconds` allows here."""
NEXT_TRY_WITHIN = 60.0
STUCK_ALERT = {"alertname": "CircuitBreakerOpen", "stuck": "true"}
SOON = (4.5, 6.5)
"""Seconds before the last try at which it is repaired: time to look, and then to see it close."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerClosing:
    """All of it is silenced while it is being repaired: healer hears of it at the end only."""

    name: str = "breaker-closing"
    service: str = "llm-inference"
    lasts: bool = True

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[datetime | None]:
        """It begins when the volume is well and the circuits are still open."""
        site = SITES[self.service]
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(paused(remote, site, PAUSE, say=say))
            known = silenced(remote, site, *YOUNG, why="it is known to be degraded", say=say)
            await stack.enter_async_context(known)
            async with silenced(remote, site, STUCK_ALERT, why="it is being repaired", say=say):
                await stack.enter_async_context(away(remote, site, say=say))
                await until(remote, site, STUCK)
                await _next_try_in(remote, site, SOON)
                await sh(remote, site, WRITABLE, everywhere=True)
            say("The volume works, and the silence is lifted. No server has tried it yet.")
            yield datetime.now(UTC)


async def _next_try_in(remote: Remote, site: Site, between: tuple[float, float]) -> None:
    """Wait until the last of all circuits will be tried in that many seconds."""
    least, most = between
    try:
        async with asyncio.timeout(NEXT_TRY_WITHIN):
            while True:
                pods = await remote.ready_pods(site.namespace, site.selector)
                circuits = [await _circuit(remote, site, pod) for pod in pods]
                last = max(circuits, key=lambda one: float(one["next_try_seconds"]))
                if last["state"] == "open" and least < float(last["next_try_seconds"]) <= most:
                    return
                await asyncio.sleep(0.2)
    except TimeoutError:
        message = f"within {NEXT_TRY_WITHIN:g} s no try of the volume was near"
        raise PermanentError(message) from None


async def _circuit(remote: Remote, site: Site, pod: str) -> Object:
    path = "/admin/circuit-breaker/status"
    told = await remote.ask(site.namespace, pod, path, port=site.port, key=ADMIN_KEY)
    found: Object = told["ssd"]
    return found
