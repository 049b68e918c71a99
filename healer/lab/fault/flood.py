"""Floods: more requests than the replicas can answer, from a process of their own.

flood makes a queue grow (INC-001); overload more than a queue can hold, so that the servers refuse
(SCENARIO-4); overload-at-maximum the same where the autoscaler may ask for no replica more, and
overload-replicas-coming where it has just asked for all that it may ask for. Of
long-requests and odd-requests there are few: what they ask is what makes the alert.
"""

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

from healer.lab.fault.contract import Say
from healer.lab.fault.proof import shown
from healer.lab.load import PROMPT
from healer.lab.remote import Remote
from healer.lab.site import ROOT, SITES, Site

END_WITHIN = 5.0
FLOOD, OVERLOAD = 10.0, 12.0
"""Requests a second: above what two replicas answer, below what four do."""
TOKENS = 10
ENOUGH = 4
"""Replicas."""
QUEUES = 'max(ALERTS{{alertname="RequestQueueHigh", namespace="{namespace}"}})'


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What each request asks."""

    prompt: str = PROMPT
    tokens: int = TOKENS


ANYTHING = Asked()


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """Lasts as long as its process does."""

    name: str
    service: str
    rate: float
    tokens: int = TOKENS
    """How many each asks for."""
    prompt: str = PROMPT
    at_maximum: bool = False
    """Does somebody bound the autoscaler by what it has, before the requests come?"""
    coming: bool = False
    """Does the autoscaler ask for enough replicas, and for no more, once requests queue?"""
    lasts: bool = True

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[None]:
        """Requests come until the block ends."""
        async with contextlib.AsyncExitStack() as stack:
            if self.at_maximum:
                await stack.enter_async_context(bounded(remote, SITES[self.service], say=say))
            asked = Asked(tokens=self.tokens, prompt=self.prompt)
            flow = flowing(remote, self.service, rate=self.rate, say=say, asked=asked)
            await stack.enter_async_context(flow)
            if self.coming:
                site = SITES[self.service]
                await shown(remote, QUEUES.format(namespace=site.namespace), lambda one: one == 1)
                bounds = {"minReplicas": ENOUGH, "maxReplicas": ENOUGH}
                await stack.enter_async_context(scaled(remote, site, bounds, say=say))
            yield


@contextlib.asynccontextmanager
async def flowing(
    remote: Remote, service: str, *, rate: float, say: Say, asked: Asked = ANYTHING
) -> AsyncGenerator[None]:
    """So many requests a second come to a service while the block runs."""
    url = remote.state.services[service]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "healer.lab.load"),
        *("--url", url, "--rate", str(rate), "--parent", str(os.getpid())),
        *("--prompt", asked.prompt, "--tokens", str(asked.tokens)),
        stdout=PIPE,
        cwd=ROOT,
        start_new_session=True,
    )
    say(f"{rate:g} requests a second now go to {service} ({url}).")
    try:
        yield
    finally:
        answers = await _end(process)
        say(f"No more requests come; answers by status: {answers}.")


@contextlib.asynccontextmanager
async def bounded(remote: Remote, site: Site, *, say: Say) -> AsyncGenerator[None]:
    """The autoscaler's maximum is what the service has now; afterwards it is as before."""
    async with scaled(remote, site, {"maxReplicas": site.replicas}, say=say):
        yield


@contextlib.asynccontextmanager
async def scaled(
    remote: Remote, site: Site, bounds: Mapping[str, int], *, say: Say
) -> AsyncGenerator[None]:
    """Somebody gives the autoscaler other bounds; afterwards they are as before."""
    plural, space = "horizontalpodautoscalers", site.namespace
    (scaler,) = await remote.objects(plural, space)
    name = str(scaler["metadata"]["name"])
    await remote.patch(plural, name, {"spec": dict(bounds)}, namespace=space)
    say(f"Autoscaler {name} may ask for {bounds['maxReplicas']} replicas and no more.")
    try:
        yield
    finally:
        before = {"spec": {bound: scaler["spec"][bound] for bound in bounds}}
        await remote.patch(plural, name, before, namespace=space)


async def _end(process: Process) -> str:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(END_WITHIN):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        said, _ = await process.communicate()
    try:
        counted = json.loads(said)
    except ValueError:
        return "unknown"
    return ", ".join(f"{number} x {status}" for status, number in counted.items()) or "none"
