"""quota-lifted: no pod came for a while, and its controller tries again only much later (INC-003).

A quota without room refuses a replica more, so the controller waits twice as long after each try.
Then all pods go, and the quota is lifted: nothing is in the way any more, and yet no pod comes.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime

from healer.errors import PermanentError
from healer.lab.contract import Object
from healer.lab.fault.contract import Say
from healer.lab.fault.release import delete_pods, nobody_ready
from healer.lab.remote import Remote
from healer.lab.site import SITES, Site

QUOTA = "no-room"
TRIES = 11
"""Then the next is five seconds away, and each lost pod, which makes it try, doubles that."""
REFUSED_WITHIN = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaLifted:
    """In the end the service has as many replicas as before."""

    name: str = "quota-lifted"
    service: str = "largeforge"
    lasts: bool = True

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[datetime | None]:
        """It begins when the pods are gone and the quota is lifted."""
        site = SITES[self.service]
        meta = {"name": QUOTA, "namespace": site.namespace}
        quota: Object = {"metadata": meta, "spec": {"hard": {"pods": "0"}}}
        await remote.create("resourcequotas", quota, namespace=site.namespace)
        try:
            await _replicas(remote, site, site.replicas + 1)
            say(
                "A quota has no room for a replica more, and the controller tries ever more rarely."
            )
            await _refused(remote, site)
            await delete_pods(remote, site, grace=0)
            await nobody_ready(remote, site)
        finally:
            await remote.delete("resourcequotas", site.namespace, QUOTA)
        try:
            say("All pods are lost. The quota is lifted, but nobody tells the controller.")
            yield datetime.now(UTC)
        finally:
            await _replicas(remote, site, site.replicas)


async def _replicas(remote: Remote, site: Site, number: int) -> None:
    change = {"spec": {"replicas": number}}
    await remote.patch("deployments", site.deployment, change, namespace=site.namespace)


async def _refused(remote: Remote, site: Site) -> None:
    """Wait until a pod was refused so often."""
    times = 0
    try:
        async with asyncio.timeout(REFUSED_WITHIN):
            while times < TRIES:
                await asyncio.sleep(0.2)
                events = await remote.objects("events", site.namespace)
                found = [one for one in events if one.get("reason") == "FailedCreate"]
                times = sum(int(one.get("count") or 1) for one in found)
    except TimeoutError:
        message = f"only {times} pods were refused within {REFUSED_WITHIN:g} s"
        raise PermanentError(message) from None
