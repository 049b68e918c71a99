"""Figures as tables for people: what was aimed at, and whether it was met."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.measure import Figure
from bench.step import Walk

_DETAILS = (
    "target", "alerts/POST", "conns", "POST/s", "alerts/s", "ratio", "p50 ms", "p99 ms",
    "CPU s/s", "µs CPU/POST", "idle MB", "peak MB", "load CPU s/s", "refused",
)  # fmt: skip
_SUMMARY = ("measured", "floor", "healer", "aim", "met")
_HALF = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the summary. `met` None: nothing is aimed at."""

    name: str
    floor: str
    healer: str
    aim: str = ""
    met: bool | None = None

    def cells(self) -> tuple[str, ...]:
        """As they are printed."""
        said = "" if self.met is None else "yes" if self.met else "no"
        return (self.name, self.floor, self.healer, self.aim, said)


def summary(pairs: Sequence[tuple[Figure, Figure]], walks: Sequence[Walk]) -> str:
    """One table of all: each pair is the floor and healer under the same load."""
    rows = [row for floor, healer in pairs for row in _recorded(floor, healer)]
    rows += [row for walk in walks for row in _walked(walk)]
    rows += _memory(pairs)
    return columns([_SUMMARY, *(row.cells() for row in rows)])


def _recorded(floor: Figure, healer: Figure) -> Iterable[Row]:
    alerts = healer.shape.alerts
    unit, least = ("POST/s", 1600) if alerts == 1 else ("alerts/s", 9000)
    load = f"{alerts} per POST"
    share = healer.rate / floor.rate if floor.rate else float("nan")
    yield Row(
        name=f"recorded, {load}: {unit}",
        floor=f"{floor.rate * alerts:.0f}",
        healer=f"{healer.rate * alerts:.0f}",
        aim=f">= {least}",
        met=healer.rate * alerts >= least and healer.refused == 0,
    )
    yield Row(
        name=f"  as a share of the floor, {load}",
        floor="1.00",
        healer=f"{share:.2f}",
        aim=f">= {_HALF:.2f}",
        met=share >= _HALF,
    )
    if healer.behind is not None:
        yield Row(
            name=f"  all of it sorted into incidents, {load}",
            floor="-",
            healer=f"{healer.behind:.1f} s later",
        )
    yield Row(
        name=f"  POST answered, {load}: p50 / p99 ms",
        floor=_milliseconds(floor.p50, floor.p99),
        healer=_milliseconds(healer.p50, healer.p99),
    )
    yield Row(
        name=f"  CPU of the server, {load}: µs per POST",
        floor=f"{_cost(floor):.0f}",
        healer=f"{_cost(healer):.0f}",
    )


def _walked(walk: Walk) -> Iterable[Row]:
    limit = 0.020 if walk.traffic.rate else 1.0
    name, sent = walk.traffic.name, walk.traffic.alerts
    p50, p99 = walk.quantile(0.50), walk.quantile(0.99)
    yield Row(
        name=f"POST to first step, {name}: p50 / p99 ms",
        floor=_milliseconds(*walk.floor),
        healer=_milliseconds(p50, p99),
        aim=f"p99 <= {limit * 1e3:.0f}",
        met=p99 <= limit,
    )
    yield Row(
        name=f"  alerts that came to a step, {name}",
        floor="-",
        healer=f"{sent - walk.lost} of {sent}",
        aim="all",
        met=walk.lost == 0,
    )


def _memory(pairs: Sequence[tuple[Figure, Figure]]) -> Iterable[Row]:
    floors, healers = zip(*pairs, strict=True)
    idle, most = max(one.idle for one in healers), 120 * 10**6
    yield Row(
        name="memory when idle: MB",
        floor=_megabytes(max(one.idle for one in floors)),
        healer=_megabytes(idle),
        aim="< 120",
        met=idle < most,
    )
    for floor, healer in pairs:
        yield Row(
            name=f"memory at most, {healer.shape.alerts} per POST: MB",
            floor=_megabytes(floor.peak),
            healer=f"{_megabytes(healer.peak)}, {_held(healer)} alerts held",
        )


def details(figures: Sequence[Figure]) -> str:
    """All figures; the first target of a load is its measure."""
    measure: dict[object, Figure] = {}
    rows = [_row(figure, measure.setdefault(figure.shape, figure)) for figure in figures]
    return columns([_DETAILS, *rows])


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Text in columns: the first to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_line(row, widths) for row in rows) + "\n"


def _line(row: Sequence[str], widths: Iterable[int]) -> str:
    first, *others = zip(row, widths, strict=True)
    cells = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
    return "  ".join(cells).rstrip()


def _row(figure: Figure, first: Figure) -> tuple[str, ...]:
    return (
        figure.target,
        str(figure.shape.alerts),
        str(figure.shape.connections),
        f"{figure.rate:.0f}",
        f"{figure.rate * figure.shape.alerts:.0f}",
        f"{figure.rate / first.rate:.2f}" if first.rate else "-",
        f"{figure.p50 * 1e3:.2f}",
        f"{figure.p99 * 1e3:.2f}",
        f"{figure.cpu / figure.seconds:.2f}",
        f"{_cost(figure):.0f}",
        _megabytes(figure.idle),
        _megabytes(figure.peak),
        f"{figure.load / figure.seconds:.2f}",
        str(figure.refused),
    )


def _cost(figure: Figure) -> float:
    return figure.cpu / max(figure.requests, 1) * 1e6


def _held(figure: Figure) -> int:
    return figure.requests * figure.shape.alerts


def _milliseconds(p50: float, p99: float) -> str:
    return f"{p50 * 1e3:.1f} / {p99 * 1e3:.1f}"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f}"
