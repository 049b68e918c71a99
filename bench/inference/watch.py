"""What is seen of a server from outside while the soak lasts: liveness, memory, its own counts."""

import asyncio
import time
from dataclasses import dataclass, field
from statistics import median

import aiohttp

from bench.target import usage

_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One moment. `live` is empty when the liveness probe was answered 200 in time."""

    at: float
    live: str
    seconds: float
    memory: int
    active: int
    queued: int


@dataclass(slots=True)
class Watch:
    """All of them."""

    looks: list[Look] = field(default_factory=list[Look])

    async def run(self, session: aiohttp.ClientSession, pid: int, *, every: float) -> None:
        """Look until cancelled."""
        while True:
            self.looks.append(await look(session, pid))
            await asyncio.sleep(every)

    def growth(self) -> tuple[int, int]:
        """Bytes resident in the second fifth of the time and in the last, as medians."""
        sizes = [each.memory for each in self.looks]
        fifth = max(1, len(sizes) // 5)
        return int(median(sizes[fifth : 2 * fifth])), int(median(sizes[-fifth:]))


async def look(session: aiohttp.ClientSession, pid: int) -> Look:
    """Probe once, and read the gauges; a page that does not come is a probe that failed."""
    begun = time.perf_counter()
    counts: dict[str, float] = {}
    try:
        async with asyncio.timeout(_TIMEOUT), session.get("/health/liveness") as response:
            live = "" if response.status == 200 else str(response.status)
        seconds = time.perf_counter() - begun
        async with asyncio.timeout(_TIMEOUT):
            counts = await gauges(session)
    except (TimeoutError, aiohttp.ClientError) as error:
        live = type(error).__name__
        seconds = time.perf_counter() - begun
    return Look(
        at=begun,
        live=live,
        seconds=seconds,
        memory=usage(pid).now,
        active=round(counts.get("load_shedding_active_requests", 0)),
        queued=round(counts.get("load_shedding_queued_requests", 0)),
    )


async def gauges(session: aiohttp.ClientSession) -> dict[str, float]:
    """The server's metrics that have no labels."""
    async with session.get("/metrics") as response:
        lines = (line.rpartition(" ") for line in (await response.text()).splitlines())
        return {name: float(value) for name, _, value in lines if name and name[0] not in "#{"}


async def running(session: aiohttp.ClientSession) -> int:
    """Sequences that the engine holds."""
    async with session.get("/health/components") as response:
        told = await response.json()
        return int(told["components"]["engine"]["running"])
