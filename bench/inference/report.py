"""The comparison as a table for people: what was aimed at, and whether it was met."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.inference.floor import Floor
from bench.inference.measure import Figure, Pair, middle, quantile
from bench.report import columns

_HEADS = ("measured", "transformers serve", "healer", "ratio", "aim", "met")
_AIM = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line. `met` None: nothing is aimed at."""

    name: str
    rival: str
    healer: str
    ratio: str = ""
    aim: str = ""
    met: bool | None = None

    def cells(self) -> tuple[str, ...]:
        """As they are printed."""
        said = "" if self.met is None else "yes" if self.met else "no"
        return (self.name, self.rival, self.healer, self.ratio, self.aim, said)


def table(pairs: Sequence[Pair], floor: Floor | None = None) -> str:
    """All loads in one table."""
    rows = [row.cells() for pair in pairs for row in rows_of(pair, floor)]
    return columns([_HEADS, *rows])


def rows_of(pair: Pair, floor: Floor | None = None) -> Iterable[Row]:
    """What is said of one load; with a floor also how near both come to it."""
    load = f"{pair.load.clients} x {pair.load.shape}"
    ratios = pair.ratios()
    speed = median(ratios)
    yield Row(
        name=f"tokens/s, {load}",
        rival=f"{middle(pair.rival):.0f}",
        healer=f"{middle(pair.healer):.0f}",
        ratio=f"{speed:.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
        aim=f">= {_AIM:.2f}",
        met=speed >= _AIM and not any(figure.failures for figure in pair.healer),
    )
    if floor is not None:
        most = floor.rate(pair.load.clients)
        yield Row(
            name=f"  of {most:.0f}, what reading the weights allows",
            rival=f"{middle(pair.rival) / most:.0%}",
            healer=f"{middle(pair.healer) / most:.0%}",
        )
    yield Row(
        name="  server CPU: ms per token",
        rival=f"{_cost(pair.rival):.2f}",
        healer=f"{_cost(pair.healer):.2f}",
        ratio=f"{_cost(pair.healer) / _cost(pair.rival):.2f}",
    )
    yield _first(pair)
    yield Row(
        name="  whole answer: p50 / p95 ms",
        rival=_times([figure.whole for figure in pair.rival]),
        healer=_times([figure.whole for figure in pair.healer]),
        ratio=_shares([f.whole for f in pair.healer], [f.whole for f in pair.rival]),
    )
    for name, figures in (("transformers serve", pair.rival), ("healer", pair.healer)):
        if failed := [figure.failures for figure in figures if figure.failures]:
            yield Row(name=f"  FAILED at {name}: {failed}", rival="", healer="")


def _first(pair: Pair) -> Row:
    ours = [figure.first for figure in pair.healer]
    theirs = [figure.first for figure in pair.rival]
    both = [(_at(ours, share), _at(theirs, share)) for share in (0.50, 0.95)]
    return Row(
        name="  first token: p50 / p95 ms",
        rival=_times(theirs),
        healer=_times(ours),
        ratio=_shares(ours, theirs),
        aim="<= 1.00",
        met=all(mine <= other for mine, other in both),
    )


def _cost(figures: Sequence[Figure]) -> float:
    return sum(f.cpu for f in figures) / max(1, sum(f.tokens for f in figures)) * 1e3


def _at(rounds: Sequence[Sequence[float]], share: float) -> float:
    """The median over the rounds, so that one bad moment of the machine does not speak for all."""
    return median(quantile(spans, share) for spans in rounds)


def _times(rounds: Sequence[Sequence[float]]) -> str:
    return f"{_at(rounds, 0.50) * 1e3:.0f} / {_at(rounds, 0.95) * 1e3:.0f}"


def _shares(ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]]) -> str:
    return " / ".join(f"{_at(ours, share) / _at(theirs, share):.2f}" for share in (0.50, 0.95))
