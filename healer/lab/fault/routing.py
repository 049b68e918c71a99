"""Faults of an expert, while requests come that belong to it (INC-005).

expert-hangs   its processes are stopped: they hold their port, and say nothing
expert-passes  the same, but they go on just before the alert fires: the share lags
"""

import contextlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from healer.errors import HealerError
from healer.lab.fault.contract import Say
from healer.lab.fault.flood import Asked, flowing
from healer.lab.fault.hung import signalled
from healer.lab.fault.ssd import until
from healer.lab.monitoring.duration import parse, shorten
from healer.lab.remote import Remote
from healer.lab.site import SITES, Site

ROUTER = "largeforge-router"
RATE = 2.0
CODE = Asked(prompt="Write a function in Python.")
"""One of the examples of the expert `code`, so there is no doubt whose it is."""
HOLDS = "5m"
"""What the shipped alert RoutingFallbackHigh must hold `for`."""
RIPENING = "time() - max(ALERTS_FOR_STATE{{%s}}) >= %g"
BEFORE = 2.0
"""Seconds that they go on before the alert fires: time for the routers to see it."""
FALLING_BACK = 'sum(rate(routing_fallbacks_total{{namespace="{namespace}"}}[5s])) > 0'


@dataclass(frozen=True, slots=True, kw_only=True)
class HungExpert:
    """Nobody answers at the address of `code`, and nobody refuses either."""

    name: str
    passes: bool = False
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
                began = datetime.now(UTC)
                if self.passes:
                    await _ripening(remote, site)
                    await _go_on(remote, expert, pods)
                    say("They go on: the expert is back, and the share looks back.")
                yield began
            finally:
                await _go_on(remote, expert, pods)
                with contextlib.suppress(HealerError):
                    await until(remote, site, FALLING_BACK.replace("> 0", "== 0"))


async def _ripening(remote: Remote, site: Site) -> None:
    """Wait until the alert has been pending for nearly as long as it must."""
    holds = parse(shorten(HOLDS, factor=remote.state.factor, floor=1))
    where = f'alertname="RoutingFallbackHigh", service="{site.name}"'
    seconds = max(0.0, holds - BEFORE)
    await until(remote, site, RIPENING % (where, seconds))


async def _go_on(remote: Remote, expert: Site, pods: Sequence[str]) -> None:
    for pod in pods:
        with contextlib.suppress(HealerError):  # it may have been restarted since
            await signalled(remote, expert, pod, "SIGCONT")
