"""GPU memory that fills up, for a reason that a cure of INC-004 takes away, or for another."""

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from healer.lab.fault.contract import Say
from healer.lab.fault.flood import Asked, flowing
from healer.lab.fault.inside import Defect, send
from healer.lab.fault.proof import shown
from healer.lab.fault.rollout import released, with_environment
from healer.lab.fault.silence import silenced
from healer.lab.remote import Remote
from healer.lab.site import SITES, Site

ALLOCATOR = {"PYTORCH_CUDA_ALLOC_CONF": "max_split_size_mb:128"}
SHIPPED = 256
"""How many sequences the ConfigMap allows as shipped."""
SETTLED_WITHIN = 90.0
RATE, ASKED = 0.6, Asked(tokens=30)
"""A sound server answers in three seconds, a slow one in seven, and just keeps up."""
USED, FREE = "DCGM_FI_DEV_FB_USED{{where}}", "DCGM_FI_DEV_FB_FREE{{where}}"
FULL = f"max({USED} / ({USED} + {FREE})) > 0.95"


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuFull:
    """A release of the service takes nearly all memory of its GPUs."""

    name: str
    defect: str
    """What every process of it has from its start (healer/lab/inside)."""
    what: str
    sequences: int = 256
    """What the ConfigMap allows before."""
    allocator: bool = False
    """Is the allocator's setting there before?"""
    service: str = "largeforge"
    lasts: bool = True

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[None]:
        """Returns when a GPU is full. In the end all is as it was before the release."""
        site = SITES[self.service]
        variables = {"LAB_DEFECT": self.defect, **(ALLOCATOR if self.allocator else {})}
        async with _allowed(remote, site, self.sequences), contextlib.AsyncExitStack() as stack:
            young = {"alertname": "GPUMemoryHigh"}
            why = "a release is on its way"  # or healer would change what is not there yet
            async with silenced(remote, site, young, why=why, say=say):
                release = released(remote, site, with_environment(variables))
                await stack.enter_async_context(release)
                say(f"A release of {site.deployment} {self.what}.")
                await self._full(remote, site)
            yield
        say("Settings, environment and release are as before.")

    async def _full(self, remote: Remote, site: Site) -> None:
        """Prometheus has seen it, and with which settings."""
        where = f'namespace="{site.namespace}"'
        known = f"min(max_num_seqs{{{where}}}) == max(max_num_seqs{{{where}}})"
        await shown(remote, known, lambda value: value == self.sequences, within=SETTLED_WITHIN)
        full = FULL.replace("{where}", where)
        await shown(remote, full, lambda value: value > 0, within=SETTLED_WITHIN)


@contextlib.asynccontextmanager
async def _allowed(remote: Remote, site: Site, sequences: int) -> AsyncGenerator[None]:
    """So many sequences at once, and in the end as many as shipped."""

    async def allow(number: int) -> None:
        data = {"data": {"maxNumSeqs": str(number)}}
        await remote.patch("configmaps", site.values["config"], data, namespace=site.namespace)

    await allow(sequences)
    try:
        yield
    finally:
        await allow(SHIPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuCrowded:
    """A server leaks until its GPU is full, and is slow for it; that it is full is known."""

    name: str = "gpu-crowded"
    service: str = "largeforge"
    lasts: bool = True

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[None]:
        """Returns when its GPU is full and it is slow. In the end the leak is freed."""
        site = SITES[self.service]
        leak = Defect(
            name=self.name,
            service=self.service,
            defect="leak",
            what="it leaks, and its GPU fills up",
            proof=FULL,
        )
        flow = flowing(remote, site.name, rate=RATE, say=say, asked=ASKED)
        known = {"alertname": "GPUMemoryHigh"}
        quiet = silenced(remote, site, known, why="its GPU is known to be nearly full", say=say)
        async with quiet, leak.strike(remote, say=say), flow:
            (slow, *_) = await remote.ready_pods(site.namespace, site.selector)
            await send(remote, site, slow, "slow")
            say(f"{slow}: it has no room left to compute in, and is slow.")
            yield
