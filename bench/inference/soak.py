"""`python -m bench soak`: three times what the server can do, for minutes, and what is left then.

The server is given the pace of a large model, so that its places are what is short; then clients
come at three times the rate that was measured, whether or not the earlier ones were answered.
"""

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from statistics import fmean

import aiohttp

from bench.inference.crowd import TOKENS, Kind, Outcome, ask, request
from bench.inference.server import Serving, healer, make_model
from bench.inference.verdict import Effort, Found, Row, rows_of, table
from bench.inference.watch import Watch, gauges, running

PLACES = 16
_STEP = 0.02
_OPTIONS = (
    f"--max-active={PLACES}",
    "--max-queued=24",
    f"--step-floor={_STEP}",
    "--max-body-bytes=262144",
    "--max-request-tokens=1024",
    "--cache-ram-mb=8",
)


TEN_MINUTES = Effort(calibrate=10, storm=600)
BRIEF = Effort(calibrate=2, storm=12)


async def run(say: Callable[[str], None], *, effort: Effort, folder: Path) -> list[Row]:
    """All of it on a server of its own; the rows say what was met."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        model = Path(place) / "model"
        await make_model(model)
        async with healer(model, Path(place), *_OPTIONS) as serving:
            found = await soak(serving, effort)
    rows = rows_of(found)
    say(table(rows))
    return rows


async def soak(serving: Serving, effort: Effort) -> Found:
    """Measure the capacity, exceed it, and see what is left."""
    watch = Watch()
    async with _session(serving) as session, _session(serving) as probes:
        capacity = await measured(session, effort.calibrate)
        # A busy machine serves less now than it may in a minute: three times must stay so.
        most = max(capacity, PLACES / (fmean(TOKENS) * _STEP))
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(watch.run(probes, serving.pid, every=0.5))
            outcomes, last = await storm(session, most * effort.times, effort.storm)
            watching.cancel()
        settled, left = await _settled(probes, last)
        served = (await ask(session, request(0, kind=Kind.WHOLE))).whole
        places = await _places(session, probes)
    return Found(
        effort=effort,
        capacity=capacity,
        most=most,
        rate=len(outcomes) / effort.storm,
        outcomes=tuple(outcomes),
        watch=watch,
        settled=settled,
        left=left,
        served=served,
        places=(places, PLACES),
    )


@asynccontextmanager
async def _session(serving: Serving) -> AsyncGenerator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=0)
    patient = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(serving.url, connector=connector, timeout=patient) as session:
        yield session


async def measured(session: aiohttp.ClientSession, seconds: float) -> float:
    """Requests a second that are served when as many ask as there are places."""
    numbers = count(1_000_000)
    until = time.perf_counter() + seconds
    done = 0

    async def client() -> None:
        nonlocal done
        while time.perf_counter() < until:
            await ask(session, request(next(numbers), kind=Kind.STREAM))
            done += 1

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(PLACES):
            group.create_task(client())
    return done / (time.perf_counter() - begun)


async def storm(
    session: aiohttp.ClientSession, rate: float, seconds: float
) -> tuple[list[Outcome], float]:
    """Clients come at random, on average so many a second; all answers, and when the last came."""
    outcomes: list[Outcome] = []

    async def client(number: int) -> None:
        outcomes.append(await ask(session, request(number)))

    rng = random.Random(1)  # noqa: S311 - to be repeatable is the point
    at = begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in count():
            at += rng.expovariate(rate)
            if at > begun + seconds:
                break
            await asyncio.sleep(max(0.0, at - time.perf_counter()))
            group.create_task(client(number))
        last = time.perf_counter()
    return outcomes, last


async def _settled(
    probes: aiohttp.ClientSession, last: float
) -> tuple[float, tuple[int, int, int]]:
    """Seconds from the last client until nothing runs or waits, and what never went away."""
    begun = time.perf_counter()
    while True:
        counts = await gauges(probes)
        left = (
            round(counts["load_shedding_active_requests"]),
            round(counts["load_shedding_queued_requests"]),
            await running(probes),
        )
        now = time.perf_counter()
        if not any(left) or now - begun > 10:
            return now - last, left
        await asyncio.sleep(0.05)


async def _places(session: aiohttp.ClientSession, probes: aiohttp.ClientSession) -> int:
    """How many requests run at once when all places are asked for: a lost one would be missing."""
    most = 0
    async with asyncio.TaskGroup() as group:
        asked = [
            group.create_task(ask(session, request(number, kind=Kind.STREAM)))
            for number in _longest(PLACES)
        ]
        while not all(task.done() for task in asked):
            counts = await gauges(probes)
            most = max(most, round(counts["load_shedding_active_requests"]))
            await asyncio.sleep(0.01)
    return most


def _longest(places: int) -> list[int]:
    """Numbers of requests that run as long as any do."""
    numbers = (number for number in count(2_000_000) if request(number).tokens == 64)
    return [next(numbers) for _ in range(places)]
