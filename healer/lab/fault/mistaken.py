"""disk-alert-mistaken: a volume with room is called full while the service is ill (SCENARIO-2).

Somebody else's rule, with a threshold of its own, tells Alertmanager so. What really degrades the
service is known and silenced: its circuits are open, and nobody tests the volume behind them.
"""

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from healer.lab.fault.breaker import HOUR, SOUND, away, paused
from healer.lab.fault.contract import Say
from healer.lab.fault.proof import shown
from healer.lab.fault.silence import silenced
from healer.lab.fault.ssd import WRITABLE, sh, until
from healer.lab.remote import Remote
from healer.lab.site import SITES, Site

KNOWN = ({"alertname": "ServiceDegraded"}, {"alertname": "CircuitBreakerOpen"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskMistaken:
    """The lab ends the alert, and starts the pods anew with their old pause."""

    name: str = "disk-alert-mistaken"
    service: str = "llm-inference"
    lasts: bool = True

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[datetime | None]:
        """It begins with the alert."""
        site = SITES[self.service]
        labels = {
            "alertname": "DiskSpaceLow",
            "severity": "warning",
            "namespace": site.namespace,
            "service": site.name,
            "rule": "another-monitoring",
        }
        async with contextlib.AsyncExitStack() as stack:
            known = silenced(remote, site, *KNOWN, why="it is known to be degraded", say=say)
            await stack.enter_async_context(known)
            stack.push_async_callback(_forgotten, remote, site)
            await stack.enter_async_context(paused(remote, site, HOUR, say=say))
            await stack.enter_async_context(away(remote, site, say=say))
            await sh(remote, site, WRITABLE, everywhere=True)
            await until(remote, site, SOUND)
            begun = datetime.now(UTC)
            await remote.alert(labels, until=begun + timedelta(hours=1))
            say("The volume has room, and another monitoring says that it is nearly full.")
            try:
                yield begun
            finally:
                await remote.alert(labels, until=datetime.now(UTC))


async def _forgotten(remote: Remote, site: Site) -> None:
    """What is known must be over before its silence ends, or it would be an incident of its own."""
    names = "|".join(one["alertname"] for one in KNOWN)
    left = f'count(ALERTS{{service="{site.name}", alertname=~"{names}"}}) or vector(0)'
    await shown(remote, left, lambda value: value == 0)
