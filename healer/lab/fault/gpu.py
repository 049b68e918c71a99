"""GPU memory that fills up, where the runbook's first cures are there already or not (INC-004)."""

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from healer.lab.contract import Object
from healer.lab.fault.contract import Say
from healer.lab.fault.flood import Asked, flowing
from healer.lab.fault.inside import Defect, send
from healer.lab.fault.proof import shown
from healer.lab.fault.rollout import rolled_out
from healer.lab.fault.silence import silenced
from healer.lab.remote import Remote
from healer.lab.site import SITES, Site

VARIABLE = {"name": "PYTORCH_CUDA_ALLOC_CONF", "value": "max_split_size_mb:128"}
SETTLED_WITHIN = 90.0
RATE, ASKED = 0.6, Asked(tokens=30)
"""A sound server answers in three seconds, a slow one in seven, and just keeps up."""
USED, FREE = "DCGM_FI_DEV_FB_USED{{where}}", "DCGM_FI_DEV_FB_FREE{{where}}"
FULL = f"max({USED} / ({USED} + {FREE})) > 0.95"


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuFull:
    """A server of the service leaks until its GPU is full."""

    name: str
    sequences: int
    """What the ConfigMap allows before."""
    allocator: bool = False
    """Is the allocator's setting there before?"""
    service: str = "largeforge"
    lasts: bool = True

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[None]:
        """In the end the leak is freed, and settings and environment are as shipped."""
        site = SITES[self.service]
        await self._set(remote, site, sequences=self.sequences, allocator=self.allocator)
        await self._settled(remote, site)
        leak = Defect(
            name=self.name,
            service=self.service,
            defect="leak",
            what="it leaks, and its GPU fills up",
            proof=FULL,
        )
        async with leak.strike(remote, say=say):
            yield
        await self._set(remote, site, sequences=256, allocator=False)
        say("Settings and environment are as shipped again.")

    async def _set(self, remote: Remote, site: Site, *, sequences: int, allocator: bool) -> None:
        data = {"data": {"maxNumSeqs": str(sequences)}}
        config = site.values["config"]
        await remote.patch("configmaps", config, data, namespace=site.namespace)
        found = await remote.object("deployments", site.deployment, namespace=site.namespace)
        template: Object = found["spec"]["template"]
        (container,) = template["spec"]["containers"]
        kept = [one for one in container["env"] if one["name"] != VARIABLE["name"]]
        wanted = [*kept, VARIABLE] if allocator else kept
        if wanted != container["env"]:
            patch = {"spec": {"template": {"spec": {"containers": [{**container, "env": wanted}]}}}}
            await remote.patch("deployments", site.deployment, patch, namespace=site.namespace)

    async def _settled(self, remote: Remote, site: Site) -> None:
        """Every server runs with these settings, and Prometheus has seen it."""
        await rolled_out(remote, site)
        where = f'max_num_seqs{{namespace="{site.namespace}"}}'
        query = f"min({where}) == max({where})"
        await shown(remote, query, lambda value: value == self.sequences, within=SETTLED_WITHIN)


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
