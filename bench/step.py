"""From sending an alert to the first step of its remediation, as the timeline dates it.

Each alert is about a service of its own, so each opens an incident and has a walk of its own.
"""

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from bench.daemon import fleet, steps_done
from bench.measure import Shape, press
from bench.payload import service
from bench.target import FLOOR, Running
from healer.model.event import Entry, Opened, StepStarted
from healer.timeline.sqlite import SqliteTimeline

_WARM_UP = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """So many alerts, one a POST: at `rate` a second, or (0) all at once."""

    name: str
    alerts: int
    connections: int
    rate: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """What came of it. `floor` is the time of the same POSTs at the floor, in seconds as all."""

    traffic: Traffic
    spans: tuple[float, ...]
    lost: int
    floor: tuple[float, float]

    def quantile(self, share: float) -> float:
        """So many of the alerts had their first step within this time."""
        spans = self.spans or (float("nan"),)
        return spans[min(len(spans) - 1, int(len(spans) * share))]


async def walk(traffic: Traffic, *, folder: Path) -> Walk:
    """The floor first, then the daemon; each in a new folder below `folder`."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        async with FLOOR.start(Path(place)) as server:
            said = await _send(server, traffic)
    floor = cast("dict[str, float]", said)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        async with fleet(traffic.alerts + _WARM_UP).start(Path(place)) as server:
            said = await _send(server, traffic)
            await _settled(server, traffic.alerts + _WARM_UP)
        began = await first_steps(Path(place) / "timeline.db")
    sent = cast("dict[str, float]", said["sent"])
    names = {service(int(number)): moment for number, moment in sent.items()}
    spans = sorted(began[name] - moment for name, moment in names.items() if name in began)
    return Walk(
        traffic=traffic,
        spans=tuple(spans),
        lost=traffic.alerts - len(spans),
        floor=(floor["p50"], floor["p99"]),
    )


async def first_steps(path: Path) -> dict[str, float]:
    """When the first step of each service began, in seconds since 1970."""
    timeline = await SqliteTimeline.open(path)
    try:
        entries = [entry async for entry in _entries(timeline)]
    finally:
        await timeline.close()
    about = {
        entry.incident: entry.event.key.service
        for entry in entries
        if isinstance(entry.event, Opened)
    }
    began: dict[str, float] = {}
    for entry in entries:
        if isinstance(entry.event, StepStarted):
            began.setdefault(about[entry.incident], entry.at.timestamp())
    return began


async def _entries(timeline: SqliteTimeline) -> AsyncGenerator[Entry]:
    position = 0
    while page := await timeline.follow(after=position):
        for entry in page:
            yield entry
        position = page[-1].position


async def _send(server: Running, traffic: Traffic) -> dict[str, object]:
    shape = Shape(alerts=1, connections=traffic.connections)
    await press(server, shape, requests=_WARM_UP, first=traffic.alerts, apart=1)
    bounds = {"requests": traffic.alerts, "rate": traffic.rate, "seconds": 60}
    return await press(server, shape, apart=1, **bounds)


async def _settled(server: Running, steps: int) -> None:
    """Until all steps are done, or for long enough that what is missing counts as lost."""
    try:
        async with asyncio.timeout(30):
            while await steps_done(server) < steps:  # noqa: ASYNC110 - another process
                await asyncio.sleep(1)  # to read its metrics is work for the server as well
    except TimeoutError:
        return
