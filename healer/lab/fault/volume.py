"""full-volume: old cache files until nothing fits on the volume any more (SCENARIO-2).

Real bytes with really old times, written inside a pod as anybody with `kubectl exec` could; the
server then gets ENOSPC from its kernel, and counts it.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from healer.errors import PermanentError
from healer.lab.fault.contract import Say
from healer.lab.remote import Remote
from healer.lab.site import SITES, Site

PROVEN_WITHIN = 30.0

SCRIPT = """
set -u
mkdir -p /mnt/ssd/cache/old && cd /mnt/ssd/cache/old || exit 3
free() { df --output=avail -B1 /mnt/ssd | tail -n 1; }
n=0
while [ "$(free)" -gt 8388608 ]; do
  n=$((n + 1))
  fallocate -l 8388608 "page-$n" && touch -d '10 days ago' "page-$n" || exit 4
done
dd if=/dev/zero of=page-last bs=4096 2>/dev/null
touch -d '10 days ago' page-last
echo "$((n + 1)) files"
[ "$(free)" -lt 4096 ] || exit 5
"""


class FullVolume:
    """Fills the volume that all pods of the service share."""

    name = "full-volume"
    service = "llm-inference"
    lasts = False

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[None]:
        """Returns once the server itself has counted a failed write."""
        site = SITES[self.service]
        before = await _failed_writes(remote, site) or 0.0
        pods = await remote.ready_pods(site.namespace, site.selector)
        if not pods:
            message = f"no pod of {site.name} is ready: nowhere to break anything"
            raise PermanentError(message)
        ran = await remote.run_in(site.namespace, pods[0], ["sh", "-c", SCRIPT])
        if ran.code != 0:
            message = f"the volume could not be filled (exit {ran.code}): {ran.output.strip()}"
            raise PermanentError(message)
        say(f"The cache volume is full: {ran.output.strip()}, ten days old, 0 bytes free.")
        counted = await _counted(remote, site, above=before)
        say(f"The servers get ENOSPC from the kernel: {counted - before:g} failed writes counted.")
        yield


async def _counted(remote: Remote, site: Site, *, above: float) -> float:
    try:
        async with asyncio.timeout(PROVEN_WITHIN):
            while True:
                found = await _failed_writes(remote, site)
                if found is not None and found > above:
                    return found
                await asyncio.sleep(0.2)
    except TimeoutError:
        message = f"no server of {site.name} noticed within {PROVEN_WITHIN:g} s"
        raise PermanentError(message) from None


async def _failed_writes(remote: Remote, site: Site) -> float | None:
    """The counter of the servers themselves, as Prometheus scraped it."""
    where = f'namespace="{site.namespace}", category="ssd"'
    return await remote.query(f"sum(error_count_total{{{where}}})")
