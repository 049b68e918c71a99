"""pods-deleted: all pods at once; the new servers are halted while they load."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from healer.errors import HealerError, PermanentError
from healer.lab.fault.contract import Say
from healer.lab.fault.hung import signalled
from healer.lab.fault.release import delete_pods, nobody_ready
from healer.lab.remote import Remote
from healer.lab.site import SITES, Site

LOADS_FOR = 15.0
"""Seconds that the new servers halt; the lab's own model loads sooner than an alert ripens."""
_BEGUN_WITHIN = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarted:
    """They come again by themselves, later than the alert."""

    name: str = "pods-deleted"
    service: str = "largeforge"
    lasts: bool = False

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[None]:
        """Nothing has to be put back; its end waits until the new servers load on."""
        site = SITES[self.service]
        await delete_pods(remote, site)
        say(f"All pods of {site.name} are deleted at once.")
        await nobody_ready(remote, site)
        slow = asyncio.create_task(_load_slowly(remote, site, say=say))
        try:
            yield
            await slow
        finally:
            slow.cancel()  # a drill that is broken off lets the servers go on at once
            await asyncio.gather(slow, return_exceptions=True)


async def _load_slowly(remote: Remote, site: Site, *, say: Say) -> None:
    halted: set[str] = set()
    try:
        async with asyncio.timeout(_BEGUN_WITHIN):
            while len(halted) < site.replicas:
                await _halt(remote, site, halted)
                await asyncio.sleep(0.2)
        say(f"The new ones halt for {LOADS_FOR:g} s while they load: {', '.join(sorted(halted))}.")
        await asyncio.sleep(LOADS_FOR)
    except TimeoutError:
        message = f"{len(halted)} of {site.replicas} new servers began within {_BEGUN_WITHIN:g} s"
        raise PermanentError(message) from None
    finally:
        for pod in halted:
            with contextlib.suppress(HealerError):  # it may have been replaced since
                await signalled(remote, site, pod, "SIGCONT")


async def _halt(remote: Remote, site: Site, halted: set[str]) -> None:
    """Halt whatever server has begun meanwhile, and add its pod."""
    for pod in await remote.objects("pods", site.namespace, site.selector):
        meta = pod["metadata"]
        if "deletionTimestamp" in meta or meta["name"] in halted:
            continue
        with contextlib.suppress(HealerError):  # nothing runs in it yet
            await signalled(remote, site, str(meta["name"]), "SIGSTOP")
            halted.add(str(meta["name"]))
