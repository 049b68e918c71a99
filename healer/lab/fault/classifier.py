"""Faults of the routers' classifier, while requests come that belong to one expert (INC-005).

classifier-damaged   a byte of its weights is another one, and the routers start anew
classifier-repaired  the same, but the file is put back when the routers try it but seldom
classifier-late      the same, but the file is put back just before they try it again
classifier-slow      a release gives it less time than it takes for a long text
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime

from healer.errors import PermanentError
from healer.lab.fault.contract import Say
from healer.lab.fault.flood import Asked, flowing
from healer.lab.fault.rollout import released, rolled_out, with_environment
from healer.lab.fault.routing import CODE, RATE, ROUTER
from healer.lab.fault.ssd import sh, until
from healer.lab.remote import Remote
from healer.lab.site import SITES, Site

FAILED = 'max(health_check_status{{namespace="{namespace}", component="classifier"}}) == 3'
PAUSED_WITHIN = 90.0
HASTY = {"INFERENCE_CLASSIFY_TIMEOUT": "0.01"}
LONG = Asked(prompt=CODE.prompt * 40)
"""Takes the classifier about a tenth of a second (measured), ten times what it is given."""

DAMAGE = """
set -eu
cd "$INFERENCE_CLASSIFIER"
cp model.safetensors model.safetensors.sound
printf '\\377' | dd of=model.safetensors bs=1 seek=1000003 conv=notrunc 2>/dev/null
! cmp -s model.safetensors model.safetensors.sound
"""
REPAIR = """
set -eu
cd "$INFERENCE_CLASSIFIER"
[ ! -e model.safetensors.sound ] || mv -f model.safetensors.sound model.safetensors
"""
NEXT_TRY = """
import json, os, urllib.request
with urllib.request.urlopen(f"http://{os.environ['POD_IP']}:8080/experts") as answer:
    print(json.load(answer)["classifier"]["next_try_seconds"])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """When the file is put back: so many seconds before the routers try it again."""

    least: float
    most: float
    told: str


SELDOM = Pause(least=30, most=300, told="the routers will not look again for half a minute")
"""A pause that has grown: longer than anybody waits for routers to heal themselves."""
SOON = Pause(least=5, most=6, told="the routers look again in a moment")
"""They load it, or have just loaded it, when the alert fires."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BadClassifier:
    """The routers start, cannot load it, and send everything to the fallback."""

    name: str
    repaired: Pause | None = None
    """None: the file stays as it is."""
    service: str = ROUTER
    lasts: bool = True

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[datetime | None]:
        """It begins when the file is as it will stay, and requests come."""
        site = SITES[ROUTER]
        await sh(remote, site, DAMAGE)
        try:
            say("A byte of the classifier's weights is another one now.")
            await _restart(remote, site)
            await until(remote, site, FAILED)
            say("The routers have started anew, and cannot load it.")
            if self.repaired:
                await _paused(remote, site, self.repaired)
                await sh(remote, site, REPAIR)
                say(f"Its file is as it was, and {self.repaired.told}.")
            async with flowing(remote, ROUTER, rate=RATE, say=say, asked=CODE):
                yield datetime.now(UTC)
                if not self.repaired:
                    await sh(remote, site, REPAIR)
                    await _restart(remote, site)
        finally:
            await sh(remote, site, REPAIR)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowClassifier:
    """It works, and nobody waits for it: requests go to the fallback."""

    name: str = "classifier-slow"
    service: str = ROUTER
    lasts: bool = True

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[datetime | None]:
        """It begins when requests come, to routers of the new release."""
        site = SITES[ROUTER]
        async with released(remote, site, with_environment(HASTY)):
            say("A release lets requests wait for their class for a hundredth of a second.")
            async with flowing(remote, ROUTER, rate=RATE, say=say, asked=LONG):
                yield datetime.now(UTC)


async def _paused(remote: Remote, site: Site, pause: Pause) -> None:
    """Wait until the routers say that they try again after so long."""
    left = 0.0
    try:
        async with asyncio.timeout(PAUSED_WITHIN):
            while not pause.least <= left <= pause.most:
                await asyncio.sleep(0.2)
                left = await _next_try(remote, site)
    except TimeoutError:
        message = f"the routers did not come to a pause of {pause.least:g} s or more: {left:g} s"
        raise PermanentError(message) from None


async def _next_try(remote: Remote, site: Site) -> float:
    pod, *_ = await remote.ready_pods(site.namespace, site.selector)
    ran = await remote.run_in(site.namespace, pod, ["python", "-c", NEXT_TRY])
    if ran.code != 0:
        message = f"{pod} does not tell when it tries its classifier again: {ran.output.strip()}"
        raise PermanentError(message)
    return float(ran.output)


async def _restart(remote: Remote, site: Site) -> None:
    """As `kubectl rollout restart` does."""
    stamp = {"kubectl.kubernetes.io/restartedAt": datetime.now(UTC).isoformat()}
    change = {"spec": {"template": {"metadata": {"annotations": stamp}}}}
    await remote.patch("deployments", site.deployment, change, namespace=site.namespace)
    await rolled_out(remote, site)
