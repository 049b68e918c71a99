"""Rounds: both servers under the same load in turns, and what each of them did and used."""

import json
import os
import signal
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from statistics import median
from typing import cast

from bench.inference.server import Serving
from bench.target import process, usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """So many clients with `requests` in all, of one shape."""

    shape: str
    clients: int
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One load on one server, once. Times in seconds; `cpu` is the server's, `load` ours."""

    seconds: float
    tokens: int
    cpu: float
    load: float
    first: tuple[float, ...]
    whole: tuple[float, ...]
    failures: dict[str, int]

    @property
    def rate(self) -> float:
        """Tokens a second."""
        return self.tokens / self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One load on both, round by round."""

    load: Load
    rival: tuple[Figure, ...]
    healer: tuple[Figure, ...]

    def ratios(self) -> list[float]:
        """Healer's tokens a second as a multiple of the rival's in the same round."""
        both = zip(self.healer, self.rival, strict=True)
        return [ours.rate / theirs.rate for ours, theirs in both]


async def compare(
    rival: Serving, healer: Serving, loads: Sequence[Load], *, rounds: int
) -> AsyncGenerator[Pair]:
    """Each load in so many rounds; who begins changes from round to round.

    The one that is not measured is stopped meanwhile, so that its idling costs the other nothing.
    """
    numbers = count(0, 100_000)
    with halted(rival) as rival_runs, halted(healer) as healer_runs:
        runs = {"rival": (rival, rival_runs), "healer": (healer, healer_runs)}
        for load in loads:
            found: dict[str, list[Figure]] = {"rival": [], "healer": []}
            for turn in range(rounds):
                first = next(numbers)
                order = list(runs) if turn % 2 else list(reversed(runs))
                for name in order:
                    serving, running = runs[name]
                    with running():
                        if turn == 0:
                            await press(serving, warm_up(load), first=first + 50_000)
                        found[name].append(await press(serving, load, first=first))
            yield Pair(load=load, rival=tuple(found["rival"]), healer=tuple(found["healer"]))


def warm_up(load: Load) -> Load:
    """As many clients with one request each: none of them counts."""
    return Load(shape=load.shape, clients=load.clients, requests=load.clients)


@contextmanager
def halted(serving: Serving) -> Generator["Running"]:
    """Stop the process until it is its turn."""
    os.kill(serving.pid, signal.SIGSTOP)
    try:
        yield Running(serving.pid)
    finally:
        os.kill(serving.pid, signal.SIGCONT)


class Running:
    """Lets a stopped process run for a while."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    @contextmanager
    def __call__(self) -> Generator[None]:
        """For the length of this block."""
        os.kill(self._pid, signal.SIGCONT)
        try:
            yield
        finally:
            os.kill(self._pid, signal.SIGSTOP)


async def press(serving: Serving, load: Load, *, first: int) -> Figure:
    """Let the generator send, and read what the server used meanwhile."""
    before = usage(serving.pid).cpu
    options = [f"--shape={load.shape}", f"--clients={load.clients}", f"--requests={load.requests}"]
    options += [f"--first={first}", f"--more={json.dumps(serving.more)}"]
    async with process("-m", "bench.inference.load", serving.url, *options) as generator:
        said, _ = await generator.communicate()
    if generator.returncode:
        message = f"the load generator ended with {generator.returncode}"
        raise RuntimeError(message)
    return _figure(cast("dict[str, object]", json.loads(said)), usage(serving.pid).cpu - before)


def _figure(said: dict[str, object], cpu: float) -> Figure:
    number = cast("dict[str, float]", said)
    times = cast("dict[str, list[float]]", said)
    return Figure(
        seconds=number["seconds"],
        tokens=int(sum(times["tokens"])),
        cpu=cpu,
        load=number["cpu"],
        first=tuple(times["first"]),
        whole=tuple(times["whole"]),
        failures=cast("dict[str, int]", said["failures"]),
    )


def quantile(spans: Sequence[float], share: float) -> float:
    """Within this time so many of them were done."""
    ordered = sorted(spans) or [float("nan")]
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def middle(figures: Sequence[Figure]) -> float:
    """The median of the rounds' tokens a second."""
    return median(figure.rate for figure in figures)
