"""`python -m bench`: measure everything, and print one table beside what was aimed at."""

import argparse
import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

from bench import record, report
from bench.daemon import HEALER
from bench.inference import run as inference
from bench.inference import soak
from bench.inference.floor import has_gpu
from bench.measure import Figure, Shape, measure
from bench.step import Traffic, walk
from bench.target import FLOOR

SHAPES = (Shape(alerts=1, connections=64), Shape(alerts=50, connections=64))


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long to measure: seconds of each load, and alerts on their way to a first step."""

    seconds: float
    steady: int
    burst: int


THOROUGH = Effort(seconds=5, steady=50, burst=500)
QUICK = Effort(seconds=1, steady=10, burst=100)


async def run(effort: Effort, *, folder: Path, detail: bool) -> None:
    """One measurement after the other: they share the machine's few cores."""
    if detail:
        say(await record.table(seconds=effort.seconds, folder=folder))
    pairs: list[tuple[Figure, Figure]] = []
    for shape in SHAPES:
        floor = await measure(FLOOR, shape, seconds=effort.seconds, folder=folder)
        healer = await measure(HEALER, shape, seconds=effort.seconds, folder=folder)
        pairs.append((floor, healer))
    traffics = (
        Traffic(name="5 a second", alerts=effort.steady, connections=4, rate=5),
        Traffic(name=f"{effort.burst} at once", alerts=effort.burst, connections=32),
    )
    walks = [await walk(traffic, folder=folder) for traffic in traffics]
    if detail:
        say(report.details([figure for pair in pairs for figure in pair]))
    say(report.summary(pairs, walks))


def say(text: str) -> None:
    """A table, and a line to keep it apart from the next."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Read the command line; the exit code is 1 where a soak found a fault."""
    parser = _parser()
    given = parser.parse_args()
    if given.gpu and not has_gpu():
        parser.error("--gpu: torch finds no GPU that it can use here; without --gpu it is the CPU")
    folder = given.folder.resolve()
    if given.what == "inference":
        asyncio.run(inference.run(say, quick=given.quick, gpu=given.gpu, folder=folder))
    elif given.what == "soak":
        effort = soak.BRIEF if given.quick else soak.TEN_MINUTES
        rows = asyncio.run(soak.run(say, effort=effort, folder=folder))
        return 1 if any(row.met is False for row in rows) else 0
    else:
        alerts = QUICK if given.quick else THOROUGH
        asyncio.run(run(alerts, folder=folder, detail=given.detail))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description="Measure, and print a table.")
    parser.add_argument(
        "what", nargs="?", choices=["alerts", "inference", "soak"], default="alerts",
        help="how fast alerts are kept (the default); the inference server beside its rival; "
        "the inference server under three times its load for ten minutes",
    )  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes")
    parser.add_argument("--gpu", action="store_true", help="inference: a model of 3 billion on it")
    parser.add_argument("--detail", action="store_true", help="the parts, in tables of their own")
    parser.add_argument("--folder", type=Path, default=Path(), help="on the disk to be measured")
    return parser


if __name__ == "__main__":
    sys.exit(main())
