"""breaker-held: the circuits of the SSD are open, and for an hour nobody will test it (SCENARIO-5).

Somebody rolled out a pause between tests of an hour in place of seconds; then the volume was away
for a moment. breaker-held-broken is the same, but the volume has not come back. That the circuits
are open was known and silenced while they were young: the first alert is that they are stuck.
breaker-held-young is not silenced, so its first alert is that they are open.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime

from healer.errors import HealerError, PermanentError
from healer.lab.contract import Object
from healer.lab.fault.contract import Say
from healer.lab.fault.ssd import OPEN, READ_ONLY, WRITABLE, sh, until
from healer.lab.remote import Remote
from healer.lab.site import SITES, Site

PAUSE = "INFERENCE_BREAKER_RETRY_SECONDS"
HOUR = "3600"
ROLLED_OUT_WITHIN = 180.0
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
            await stack.enter_async_context(_paused(remote, site, say=say))
            if self.silenced:
                await stack.enter_async_context(_silenced(remote, site, say=say))
            await stack.enter_async_context(_away(remote, site, say=say))
            if self.sound:
                await sh(remote, site, WRITABLE, everywhere=True)
                await until(remote, site, SOUND)
                say("The volume works again. The circuits stay open: nobody tests it now.")
            yield datetime.now(UTC)


@contextlib.asynccontextmanager
async def _paused(remote: Remote, site: Site, *, say: Say) -> AsyncGenerator[None]:
    before = await _rolled_out(remote, site, HOUR)
    say("A rollout has set the pause between two tests of the volume to an hour.")
    try:
        yield
    finally:
        await _rolled_out(remote, site, before)


@contextlib.asynccontextmanager
async def _silenced(remote: Remote, site: Site, *, say: Say) -> AsyncGenerator[None]:
    silences = [await remote.silence({"service": site.name, **labels}) for labels in YOUNG]
    say("Somebody silenced what is known: that the service is degraded, and young open circuits.")
    try:
        yield
    finally:
        for silence in silences:
            await remote.unsilence(silence)


@contextlib.asynccontextmanager
async def _away(remote: Remote, site: Site, *, say: Say) -> AsyncGenerator[None]:
    await sh(remote, site, READ_ONLY)
    try:
        await until(remote, site, OPEN)
        say("The volume took no write, and every server has opened its circuit.")
        yield
    finally:
        with contextlib.suppress(HealerError):
            await sh(remote, site, WRITABLE, everywhere=True)


async def _rolled_out(remote: Remote, site: Site, seconds: str) -> str:
    """Set the pause in the Deployment and wait for the pods that have it; what it was before."""
    found = await _deployment(remote, site)
    (container, *others) = found["spec"]["template"]["spec"]["containers"]
    kept = [one for one in container["env"] if one["name"] != PAUSE]
    before = next(one["value"] for one in container["env"] if one["name"] == PAUSE)
    changed = {**container, "env": [*kept, {"name": PAUSE, "value": seconds}]}
    change = {"spec": {"template": {"spec": {"containers": [changed, *others]}}}}
    await remote.patch("deployments", site.deployment, change, namespace=site.namespace)
    await rolled_out(remote, site)
    return str(before)


async def rolled_out(remote: Remote, site: Site) -> None:
    """Wait until all pods are those of the template, and ready; none of the old ones is left."""
    try:
        async with asyncio.timeout(ROLLED_OUT_WITHIN):
            while not _is_through(await _deployment(remote, site)):  # noqa: ASYNC110 asked over HTTP
                await asyncio.sleep(0.2)
    except TimeoutError:
        message = f"{site.deployment} was not rolled out within {ROLLED_OUT_WITHIN:g} s"
        raise PermanentError(message) from None


async def _deployment(remote: Remote, site: Site) -> Object:
    found = await remote.objects("deployments", site.namespace)
    return next(one for one in found if one["metadata"]["name"] == site.deployment)


def _is_through(found: Object) -> bool:
    status, wanted = found.get("status", {}), found["spec"]["replicas"]
    counts = [status.get(key) for key in ("replicas", "updatedReplicas", "availableReplicas")]
    seen = status.get("observedGeneration", 0) >= found["metadata"]["generation"]
    return seen and counts == [wanted] * 3
