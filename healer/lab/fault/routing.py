"""Faults of routing, while requests come that belong to one expert (INC-005).

expert-hangs         the processes of an expert are stopped: they hold their port, and say nothing
classifier-damaged   a byte of the classifier's weights is another one, and the routers start anew
classifier-repaired  the same, but the file is put back when the routers have given up loading it
"""

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime

from healer.errors import HealerError
from healer.lab.fault.contract import Say
from healer.lab.fault.flood import Asked, flowing
from healer.lab.fault.hung import signalled
from healer.lab.fault.rollout import rolled_out
from healer.lab.fault.ssd import sh, until
from healer.lab.remote import Remote
from healer.lab.site import SITES, Site

ROUTER = "largeforge-router"
RATE = 2.0
CODE = Asked(prompt="Write a function in Python.")
"""One of the examples of the expert `code`, so there is no doubt whose it is."""
FAILED = 'max(health_check_status{{namespace="{namespace}", component="classifier"}}) == 3'
FALLING_BACK = 'sum(rate(routing_fallbacks_total{{namespace="{namespace}"}}[5s])) > 0'

DAMAGE = """
set -eu
cd "$INFERENCE_CLASSIFIER"
cp model.safetensors model.safetensors.sound
printf '\\377' | dd of=model.safetensors bs=1 seek=1000003 conv=notrunc 2>/dev/null
! cmp -s model.safetensors model.safetensors.sound
"""
REPAIR = 'cd "$INFERENCE_CLASSIFIER" && mv -f model.safetensors.sound model.safetensors'


@dataclass(frozen=True, slots=True, kw_only=True)
class HungExpert:
    """Nobody answers at the address of `code`, and nobody refuses either."""

    name: str = "expert-hangs"
    service: str = ROUTER
    lasts: bool = True

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[datetime | None]:
        """Lasts until the processes are let go on, or Kubernetes has restarted them."""
        site, expert = SITES[ROUTER], SITES[SITES[ROUTER].experts["code"]]
        async with flowing(remote, ROUTER, rate=RATE, say=say, asked=CODE):
            pods = await remote.ready_pods(expert.namespace, expert.selector)
            try:
                for pod in pods:
                    await signalled(remote, expert, pod, "SIGSTOP")
                say(f"The servers of {expert.name}, the expert for code, hang: {', '.join(pods)}.")
                yield datetime.now(UTC)
            finally:
                for pod in pods:
                    with contextlib.suppress(HealerError):  # it may have been restarted since
                        await signalled(remote, expert, pod, "SIGCONT")
                with contextlib.suppress(HealerError):
                    await until(remote, site, FALLING_BACK.replace("> 0", "== 0"))


@dataclass(frozen=True, slots=True, kw_only=True)
class BadClassifier:
    """The routers start, cannot load it, and send everything to the fallback."""

    name: str
    repaired: bool
    service: str = ROUTER
    lasts: bool = True

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[datetime | None]:
        """It begins when the routers have given up on it."""
        site = SITES[ROUTER]
        async with flowing(remote, ROUTER, rate=RATE, say=say, asked=CODE):
            await sh(remote, site, DAMAGE)
            try:
                say("A byte of the classifier's weights is another one now.")
                await _restart(remote, site)
                await until(remote, site, FAILED)
                say("The routers have started anew, and cannot load it.")
                if self.repaired:
                    await sh(remote, site, REPAIR)
                    say("Its file is as it was. The routers will not look again for minutes.")
                yield datetime.now(UTC)
            finally:
                if not self.repaired:
                    await sh(remote, site, REPAIR)
                    await _restart(remote, site)


async def _restart(remote: Remote, site: Site) -> None:
    """As `kubectl rollout restart` does."""
    stamp = {"kubectl.kubernetes.io/restartedAt": datetime.now(UTC).isoformat()}
    change = {"spec": {"template": {"metadata": {"annotations": stamp}}}}
    await remote.patch("deployments", site.deployment, change, namespace=site.namespace)
    await rolled_out(remote, site)
