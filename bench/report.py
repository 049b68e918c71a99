"""Figures as a table for people. Ratios are to the first target that had the same load."""

from collections.abc import Iterable, Sequence

from bench.measure import Figure

_HEADS = (
    "target", "alerts/POST", "conns", "POST/s", "alerts/s", "ratio", "p50 ms", "p99 ms",
    "CPU s/s", "µs CPU/POST", "peak MB", "load CPU s/s", "refused",
)  # fmt: skip


def table(figures: Sequence[Figure]) -> str:
    """Lines of columns; the first target of a load is its measure."""
    measure: dict[object, Figure] = {}
    rows = [_row(figure, measure.setdefault(figure.shape, figure)) for figure in figures]
    return columns([_HEADS, *rows])


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
        f"{figure.cpu / max(figure.requests, 1) * 1e6:.0f}",
        f"{figure.peak / 1e6:.0f}",
        f"{figure.load / figure.seconds:.2f}",
        str(figure.refused),
    )
