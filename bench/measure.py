"""One measurement: a fresh server, a warm-up, then the load, in processes of their own."""

import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from bench.target import Running, Target, process, usage

_WARM_UP = 2**31
"""Its alerts are others than those that count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What is sent: alerts per POST, and how many POSTs are under way at once."""

    alerts: int
    connections: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What was measured. Times in seconds; `cpu` is the server's, `load` the generator's."""

    target: str
    shape: Shape
    requests: int
    refused: int
    rate: float
    p50: float
    p99: float
    seconds: float
    cpu: float
    load: float
    idle: int
    peak: int
    behind: float | None = None
    """Seconds after the load until every recorded alert was sorted; None where nothing is."""


async def measure(target: Target, shape: Shape, *, seconds: float, folder: Path) -> Figure:
    """Start the target in a new folder below `folder`, and press it for that long."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        async with target.start(Path(place)) as running:
            idle = usage(running.pid).now
            warm = await press(running, shape, seconds=min(1.0, seconds), first=_WARM_UP)
            before = usage(running.pid)
            said = await press(running, shape, seconds=seconds)
            after = usage(running.pid)
            posts = _recorded(warm) + _recorded(said)
            behind = await _sorted(target, running, posts * shape.alerts)
            peak = usage(running.pid).peak
    statuses = cast("dict[str, int]", said["statuses"])
    number = cast("dict[str, float]", said)
    return Figure(
        target=target.name,
        shape=shape,
        requests=_recorded(said),
        refused=sum(statuses.values()) - _recorded(said),
        rate=number["rate"],
        p50=number["p50"] or float("nan"),
        p99=number["p99"] or float("nan"),
        seconds=number["seconds"],
        cpu=after.cpu - before.cpu,
        load=number["cpu"],
        idle=idle,
        peak=peak,
        behind=behind,
    )


async def _sorted(target: Target, running: Running, alerts: int) -> float | None:
    if target.sorted is None:
        return None
    begin = time.perf_counter()
    await target.sorted(running, alerts)
    return time.perf_counter() - begin


def _recorded(said: Mapping[str, object]) -> int:
    return cast("dict[str, int]", said["statuses"]).get("200", 0)


async def press(running: Running, shape: Shape, **bounds: float) -> dict[str, object]:
    """Let the generator send; `bounds` are its options by name."""
    options = [f"--alerts={shape.alerts}", f"--connections={shape.connections}"]
    options += [f"--{name}={value}" for name, value in bounds.items()]
    async with process("-m", "bench.load", running.url, *options, *running.arguments) as generator:
        said, _ = await generator.communicate()
    if generator.returncode:
        message = f"the load generator ended with {generator.returncode}"
        raise RuntimeError(message)
    return cast("dict[str, object]", json.loads(said))
