"""`python -m bench inference`: both servers, all loads, one table."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.inference.floor import Floor, floor_of
from bench.inference.measure import Load, Pair, compare
from bench.inference.report import rows_of, table
from bench.inference.server import CPU, GPU, Serving, healer, make_model, transformers

_CLIENTS = {1: 8, 8: 64, 32: 96, 64: 128}
"""Clients at once, and requests of all: enough that one long answer decides little."""


def loads(*, quick: bool) -> list[Load]:
    """What is measured, in this order."""
    clients = {each: each * 2 for each in _CLIENTS} if quick else _CLIENTS
    return [
        Load(shape=shape, clients=each, requests=requests)
        for shape in ("even", "skewed")
        for each, requests in clients.items()
    ]


async def run(say: Callable[[str], None], *, quick: bool, gpu: bool, folder: Path) -> None:
    """Start both once and let them take turns; on a GPU beside what its memory allows."""
    machine = GPU if gpu else CPU
    rounds = 1 if quick else 3
    floor: Floor | None = None
    with tempfile.TemporaryDirectory(dir=folder) as place:
        home = Path(place)
        model = home / "model"
        await make_model(model, machine.size)
        if gpu:
            floor = await floor_of(model)
            say(f"{floor.device}: {floor.bandwidth / 1e12:.2f} TB/s, measured")
        async with (
            transformers(model, home, *machine.rival) as rival,
            healer(model, home, *machine.healer) as ours,
        ):
            pairs = await _pairs(say, rival, ours, loads(quick=quick), rounds=rounds)
    say(table(pairs, floor))


async def _pairs(
    say: Callable[[str], None],
    rival: Serving,
    ours: Serving,
    wanted: Sequence[Load],
    *,
    rounds: int,
) -> list[Pair]:
    """All of them; each is told when it is measured."""
    pairs: list[Pair] = []
    async for pair in compare(rival, ours, wanted, rounds=rounds):
        pairs.append(pair)
        say("  ".join(next(iter(rows_of(pair))).cells()))
    return pairs
