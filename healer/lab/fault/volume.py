"""full-volume and its kin: cache files until nothing fits on the volume any more (SCENARIO-2).

Real bytes with really old times, or with young ones, written inside a pod as anybody with
`kubectl exec` could; the server then gets ENOSPC from its kernel, and counts it.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from healer.errors import PermanentError
from healer.lab.fault.contract import Say
from healer.lab.remote import Remote
from healer.lab.site import SITES, Site

PROVEN_WITHIN = 30.0

SCRIPT = """
set -u
mkdir -p /mnt/ssd/cache/filler && cd /mnt/ssd/cache/filler || exit 3
free() { df --output=avail -B1 /mnt/ssd | tail -n 1; }
n=0
while [ "$(free)" -gt 8388608 ]; do
  n=$((n + 1))
  fallocate -l 8388608 "page-$n" && touch -d "$1" "page-$n" || exit 4
done
# A server that meets the full volume gives back what it could not write to its end: fill that too.
for attempt in 1 2 3 4 5; do
  n=$((n + 1))
  dd if=/dev/zero of="page-$n" bs=4096 2>/dev/null
  touch -d "$1" "page-$n"
  [ "$(free)" -lt 4096 ] && break
done
echo "$n files"
[ "$(free)" -lt 4096 ] || exit 5
"""
CLEAR = ("rm", "-rf", "/mnt/ssd/cache/filler")


@dataclass(frozen=True, slots=True, kw_only=True)
class FullVolume:
    """Fills the volume that all pods of the service share with files of one age.

    What healer may not delete, the fault takes away again at its end; a class of storage that may
    not grow may again then.
    """

    name: str = "full-volume"
    service: str = "llm-inference"
    age: str = "10 days"
    lasts: bool = False
    expandable: bool = True

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[None]:
        """Returns once the server itself has counted a failed write."""
        site = SITES[self.service]
        async with contextlib.AsyncExitStack() as stack:
            await self._prepare(remote, site, stack)
            before = await _failed_writes(remote, site) or 0.0
            pod = await _pod(remote, site)
            if self.lasts:
                stack.push_async_callback(_clear, remote, site)
            said = await _run(remote, site, pod, ["sh", "-c", SCRIPT, "sh", f"{self.age} ago"])
            say(f"The cache volume is full: {said}, of {self.age} ago, 0 bytes free.")
            counted = await _counted(remote, site, above=before)
            news = f"{counted - before:g} failed writes counted"
            say(f"The servers get ENOSPC from the kernel: {news}.")
            yield

    async def _prepare(self, remote: Remote, site: Site, stack: contextlib.AsyncExitStack) -> None:
        """Nothing for old files. For young ones the claim must be as it was shipped."""
        if not self.lasts:
            return
        claim = await remote.object("persistentvolumeclaims", site.claim, namespace=site.namespace)
        if claim["spec"]["resources"]["requests"]["storage"] != f"{site.volume}Mi":
            message = f"claim {site.claim} has grown in this lab: it needs a fresh one for this"
            raise PermanentError(message)
        if not self.expandable:
            kind = claim["spec"]["storageClassName"]
            await _allow(remote, kind, allowed=False)
            stack.push_async_callback(_allow, remote, kind, allowed=True)


async def _allow(remote: Remote, kind: str, *, allowed: bool) -> None:
    await remote.patch("storageclasses", kind, {"allowVolumeExpansion": allowed})


async def _pod(remote: Remote, site: Site) -> str:
    pods = await remote.ready_pods(site.namespace, site.selector)
    if not pods:
        message = f"no pod of {site.name} is ready: nowhere to break anything"
        raise PermanentError(message)
    return pods[0]


async def _run(remote: Remote, site: Site, pod: str, argv: list[str]) -> str:
    ran = await remote.run_in(site.namespace, pod, argv)
    if ran.code != 0:
        message = f"the volume could not be filled (exit {ran.code}): {ran.output.strip()}"
        raise PermanentError(message)
    return ran.output.strip()


async def _clear(remote: Remote, site: Site) -> None:
    await _run(remote, site, await _pod(remote, site), list(CLEAR))


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
