"""`python -m bench`: measure everything and print the tables."""

import argparse
import asyncio
import sys
from pathlib import Path

from bench import record, report
from bench.measure import Shape, measure
from bench.daemon import HEALER
from bench.target import FLOOR

TARGETS = (FLOOR, HEALER)
"""In the order of the table; ratios are taken to the first."""

SHAPES = (Shape(alerts=1, connections=64), Shape(alerts=50, connections=64))


async def run(*, names: list[str], seconds: float, folder: Path) -> None:
    """One measurement after the other: they share the machine's few cores."""
    sys.stdout.write(await record.table(seconds=seconds, folder=folder) + "\n")
    figures = [
        await measure(target, shape, seconds=seconds, folder=folder)
        for shape in SHAPES
        for target in TARGETS
        if target.name in names
    ]
    sys.stdout.write(report.table(figures))


def main() -> None:
    """Read the command line."""
    every = [target.name for target in TARGETS]
    parser = argparse.ArgumentParser(prog="bench", description="Measure how fast alerts are kept.")
    parser.add_argument("--target", action="append", choices=every, help="only these targets")
    parser.add_argument("--seconds", type=float, default=5, help="per measurement, at most 60")
    parser.add_argument("--folder", type=Path, default=Path(), help="on the disk to be measured")
    given = parser.parse_args()
    seconds = min(given.seconds, 60.0)
    asyncio.run(run(names=given.target or every, seconds=seconds, folder=given.folder))


if __name__ == "__main__":
    main()
