"""`python -m bench inference`: both servers, all loads, one table."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.inference.measure import Load, Pair, compare
from bench.inference.report import rows_of, table
from bench.inference.server import healer, make_model, transformers

_CLIENTS = {1: 3, 8: 16, 32: 48, 64: 96}
"""Clients at once, and requests that they send in all."""


def loads(*, quick: bool) -> list[Load]:
    """What is measured, in this order."""
    clients = {each: each * 2 for each in _CLIENTS} if quick else _CLIENTS
    return [
        Load(shape=shape, clients=each, requests=requests)
        for shape in ("even", "skewed")
        for each, requests in clients.items()
    ]


async def run(say: Callable[[str], None], *, quick: bool, folder: Path) -> None:
    """Start both once and let them take turns."""
    pairs: list[Pair] = []
    with tempfile.TemporaryDirectory(dir=folder) as place:
        model = Path(place) / "model"
        await make_model(model)
        async with transformers(model, Path(place)) as rival, healer(model, Path(place)) as ours:
            async for pair in compare(rival, ours, loads(quick=quick), rounds=1 if quick else 3):
                pairs.append(pair)
                say("  ".join(next(iter(rows_of(pair))).cells()))
    say(table(pairs))
