"""breaker-held: the circuits of the SSD are open, and for an hour nobody will test it (SCENARIO-5).

Somebody rolled out a pause between tests of an hour in place of seconds; then the volume was away
for a moment. breaker-held-broken is the same, but the volume has not come back. That the circuits
are open was known and silenced while they were young: the first alert is that they are stuck.
breaker-held-young is not silenced, so its first alert is that they are open.
"""

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime

from healer.errors import HealerError
from healer.lab.fault.contract import Say
from healer.lab.fault.rollout import released, with_environment
from healer.lab.fault.silence import silenced
from healer.lab.fault.ssd import OPEN, READ_ONLY, WRITABLE, sh, until
from healer.lab.remote import Remote
from healer.lab.site import SITES, Site

PAUSE = "INFERENCE_BREAKER_RETRY_SECONDS"
HOUR = "3600"
SOUND = 'max(health_check_status{{namespace="{namespace}", component="ssd"}}) < 2'
YOUNG = ({"alertname": "ServiceDegraded"}, {"alertname": "CircuitBreakerOpen", "stuck": ""})


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerHeld:
    """The lab puts the pause back at the end, which starts the pods anew."""

    name: str
    sound: bool
    """Does the volume work again?"""
    silenced: bool = True
    service: str = "llm-inference"
    lasts: bool = True

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[datetime | None]:
        """It begins when the volume is as it will stay, and the circuits are open."""
        site = SITES[self.service]
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(paused(remote, site, HOUR, say=say))
            if self.silenced:
                known = silenced(remote, site, *YOUNG, why="it is known to be degraded", say=say)
                await stack.enter_async_context(known)
            await stack.enter_async_context(away(remote, site, say=say))
            if self.sound:
                await sh(remote, site, WRITABLE, everywhere=True)
                await until(remote, site, SOUND)
                say("The volume works again. The circuits stay open: nobody tests it now.")
            yield datetime.now(UTC)


@contextlib.asynccontextmanager
async def paused(remote: Remote, site: Site, seconds: str, *, say: Say) -> AsyncGenerator[None]:
    """Meanwhile that is the pause between two tests of the volume."""
    async with released(remote, site, with_environment({PAUSE: seconds})):
        say(f"A rollout has set the pause between two tests of the volume to {seconds} s.")
        yield


@contextlib.asynccontextmanager
async def away(remote: Remote, site: Site, *, say: Say) -> AsyncGenerator[None]:
    """Meanwhile the volume takes no write, and every circuit is open."""
    await sh(remote, site, READ_ONLY)
    try:
        await until(remote, site, OPEN)
        say("The volume took no write, and every server has opened its circuit.")
        yield
    finally:
        with contextlib.suppress(HealerError):
            await sh(remote, site, WRITABLE, everywhere=True)
