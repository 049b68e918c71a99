"""Faults of the SSD volume: real refusals of the kernel, made inside a pod as anybody could.

ssd-read-only       the volume takes no write, as after errors, until somebody remounts it
ssd-passing         the same for a few seconds, and then it is well again by itself
ssd-read-only-long  the same until the circuit counts as stuck, so that all its alerts come
ssd-no-inodes       the volume is writable and has room, and yet no file can be made on it
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime

from healer.errors import HealerError, PermanentError
from healer.lab.fault.contract import Say
from healer.lab.remote import Remote
from healer.lab.site import SITES, Site

NOTICED_WITHIN = 30.0
PASSES_AFTER = 5.0
OPEN = 'min(circuit_breaker_state{{namespace="{namespace}", circuit="ssd"}}) >= 1'

STUCK = (
    'ALERTS{{namespace="{namespace}", alertname="CircuitBreakerOpen", stuck="true",'
    ' alertstate="firing"}}'
)
"""What a drill waits for that must see all alerts of one trouble."""

# A file that is open for writing at this very moment makes the kernel say busy: so several tries.
READ_ONLY = """
for n in 1 2 3 4 5 6 7 8 9 10; do
  mount -o remount,ro /mnt/ssd && exit 0
  sleep 0.1
done
exit 4
"""
WRITABLE = "mount -o remount,rw /mnt/ssd"
# As many as are used, and then whatever a file that went at that moment left free.
NO_INODES = """
set -u
used=$(df --output=iused /mnt/ssd | tail -n 1)
mount -o remount,nr_inodes=$((used)) /mnt/ssd || exit 4
for n in 1 2 3 4 5 6 7 8 9 10; do
  touch "/mnt/ssd/filler-$n" 2>/dev/null
  sleep 0.1
done
touch /mnt/ssd/filler-last 2>/dev/null && exit 5
exit 0
"""
INODES = "mount -o remount,nr_inodes=100000 /mnt/ssd && rm -f /mnt/ssd/filler-*"


@dataclass(frozen=True, slots=True, kw_only=True)
class SsdFault:
    """Breaks the volume that all pods of the service share; the lab mends it at the end."""

    name: str
    what: str
    breaks: str
    mends: str
    passes_after: float | None = None
    """Seconds after which it is well again, whoever looks on."""
    lasts_until: str = ""
    """A query that must have an answer before the lab mends it."""
    service: str = "llm-inference"
    lasts: bool = True

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[datetime | None]:
        """Returns once every server has opened its circuit."""
        site = SITES[self.service]
        await sh(remote, site, self.breaks)
        say(f"{self.what}.")
        try:
            await until(remote, site, OPEN)
            say("Every server has opened the circuit of the volume, and works from memory.")
            async with asyncio.TaskGroup() as group:
                passing = group.create_task(self._pass(remote, site, say=say))
                yield None
                if self.lasts_until:
                    await until(remote, site, self.lasts_until)
                passing.cancel()
        finally:
            with contextlib.suppress(HealerError):
                await sh(remote, site, self.mends, everywhere=True)

    async def _pass(self, remote: Remote, site: Site, *, say: Say) -> None:
        if self.passes_after is None:
            return
        await asyncio.sleep(self.passes_after)
        await sh(remote, site, self.mends, everywhere=True)
        say("The volume is well again, by itself.")


async def sh(remote: Remote, site: Site, script: str, *, everywhere: bool = False) -> None:
    """Run a script in a pod of the service, or in all; PermanentError where it fails."""
    pods = await remote.ready_pods(site.namespace, site.selector)
    if not pods:
        message = f"no pod of {site.name} is ready: nowhere to break or mend anything"
        raise PermanentError(message)
    for pod in pods if everywhere else pods[:1]:
        ran = await remote.run_in(site.namespace, pod, ["sh", "-c", script])
        if ran.code != 0:
            message = f"{pod}: the script ended with {ran.code}: {ran.output.strip()}"
            raise PermanentError(message)


async def until(remote: Remote, site: Site, query: str) -> None:
    """Wait until Prometheus has an answer to a query about the service."""
    asked = query.format(namespace=site.namespace)
    try:
        async with asyncio.timeout(NOTICED_WITHIN):
            while await remote.query(asked) is None:  # noqa: ASYNC110 asked over HTTP
                await asyncio.sleep(0.2)
    except TimeoutError:
        message = f"it did not come true within {NOTICED_WITHIN:g} s: {asked}"
        raise PermanentError(message) from None


ON_THE_SSD = (
    SsdFault(
        name="ssd-no-inodes",
        what="The cache volume has room, and no inode left to make a file with",
        breaks=NO_INODES,
        mends=INODES,
    ),
    SsdFault(
        name="ssd-passing",
        what="The kernel turned the cache volume read-only, for a while",
        breaks=READ_ONLY,
        mends=WRITABLE,
        passes_after=PASSES_AFTER,
    ),
    SsdFault(
        name="ssd-read-only",
        what="The kernel turned the cache volume read-only",
        breaks=READ_ONLY,
        mends=WRITABLE,
    ),
    SsdFault(
        name="ssd-read-only-long",
        what="The kernel turned the cache volume read-only, and it stays so for long",
        breaks=READ_ONLY,
        mends=WRITABLE,
        lasts_until=STUCK,
    ),
)
