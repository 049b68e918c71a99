"""A metric over time with what happened marked on it, as SVG. Pure: numbers in, a picture out."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, LEFT, RIGHT, BOTTOM, HEIGHT = 900, 64, 24, 44, 220
ROW = 17
"""Height of one row of labels above the plot; labels that would meet stand on different rows."""
LETTER = 6.3
"""Width of a letter of a label, about."""
INK, FAINT, LINE = "#1f2328", "#d0d7de", "#0969da"
COLOURS = {"bad": "#cf222e", "act": "#8250df", "good": "#1a7f37", "": "#57606a"}

Point = tuple[float, float]
"""Seconds since the fault, and the value then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something that happened: when, what, and whether it is bad, an act, or good."""

    at: float
    label: str
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """One picture."""

    title: str
    unit: str
    points: Sequence[Point]
    marks: Sequence[Mark] = field(default_factory=tuple[Mark, ...])

    def svg(self) -> str:
        """The whole of it, with a background and sizes of its own."""
        rows = _rows([self._x(mark.at) for mark in self.marks], [one.label for one in self.marks])
        top = 34 + ROW * (max(rows, default=-1) + 1)
        whole = top + HEIGHT + BOTTOM
        parts = [
            *self._frame(top),
            *self._marked(rows, top),
            *(self._curve(top) if self.points else self._empty(top)),
        ]
        heading = escape(f"{self.title}, in {self.unit}" if self.unit else self.title)
        opening = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {whole}"'
            f' width="{WIDTH}" height="{whole}" font-family="system-ui, sans-serif"'
            f' font-size="12" role="img" aria-label="{heading}">'
        )
        ground = f'<rect width="{WIDTH}" height="{whole}" fill="#ffffff"/>'
        title = f'<text x="{LEFT}" y="20" font-size="14" fill="{INK}">{heading}</text>'
        return "\n".join([opening, ground, title, *parts, "</svg>", ""])

    # --------------------------------------------------------------------------------- its parts

    def _frame(self, top: float) -> Iterator[str]:
        base = top + HEIGHT
        for value in ticks(*self._values):
            y = self._y(value, top)
            yield f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{FAINT}"/>'
            yield _text(LEFT - 8, y + 4, _number(value), anchor="end")
        for at in ticks(*self._times):
            x = self._x(at)
            yield f'<path d="M{x:.1f} {base}v5" stroke="{INK}"/>'
            yield _text(x, base + 19, _number(at), anchor="middle")
        yield f'<path d="M{LEFT} {base}H{WIDTH - RIGHT}" stroke="{INK}"/>'
        yield _text(WIDTH - RIGHT, base + 37, "seconds since the fault", anchor="end")

    def _marked(self, rows: Sequence[int], top: float) -> Iterator[str]:
        for mark, row in zip(self.marks, rows, strict=True):
            x, y = self._x(mark.at), top - ROW * row - 6
            colour = COLOURS.get(mark.kind, COLOURS[""])
            yield (
                f'<path d="M{x:.1f} {y + 4:.1f}V{top + HEIGHT}" stroke="{colour}"'
                f' stroke-dasharray="3 3"/>'
            )
            turned = x + LETTER * len(mark.label) > WIDTH - RIGHT
            yield _text(
                x - 4 if turned else x + 4,
                y,
                mark.label,
                anchor="end" if turned else "start",
                fill=colour,
            )

    def _curve(self, top: float) -> Iterator[str]:
        path = " ".join(f"{self._x(at):.1f},{self._y(value, top):.1f}" for at, value in self.points)
        yield f'<polyline points="{path}" fill="none" stroke="{LINE}" stroke-width="2"/>'
        for at, value in self.points:
            x, y = self._x(at), self._y(value, top)
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="{LINE}"/>'

    def _empty(self, top: float) -> Iterator[str]:
        yield _text(WIDTH / 2, top + HEIGHT / 2, "Prometheus has no value", anchor="middle")

    @property
    def _times(self) -> tuple[float, float]:
        times = [at for at, _ in self.points] + [mark.at for mark in self.marks]
        return _spread(times)

    @property
    def _values(self) -> tuple[float, float]:
        return _spread([0.0, *(value for _, value in self.points)])

    def _x(self, at: float) -> float:
        low, high = self._times
        return LEFT + (at - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def _y(self, value: float, top: float) -> float:
        low, high = self._values
        return top + HEIGHT - (value - low) / (high - low) * (HEIGHT - 8)


def ticks(low: float, high: float, wanted: int = 6) -> list[float]:
    """Round numbers between two, about so many."""
    raw = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(one * power for one in (1, 2, 5, 10) if one * power >= raw)
    first = math.ceil(low / step)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _spread(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values, default=0.0), max(values, default=1.0)
    return (low, high) if high > low else (low, low + 1.0)


def _rows(places: Sequence[float], labels: Sequence[str]) -> list[int]:
    """For each label the lowest row on which it meets no other.

    The last one first: the line of an earlier one then passes on the left of later labels.
    """
    taken: list[list[tuple[float, float]]] = []
    found: list[int] = []
    for x, label in reversed(list(zip(places, labels, strict=True))):
        width = LETTER * len(label) + 10
        turned = x + width > WIDTH - RIGHT
        span = (x - width, x) if turned else (x, x + width)
        row = next(
            (
                number
                for number, spans in enumerate(taken)
                if all(span[1] <= low or span[0] >= high for low, high in spans)
            ),
            len(taken),
        )
        if row == len(taken):
            taken.append([])
        taken[row].append(span)
        found.append(row)
    return found[::-1]


def _text(x: float, y: float, text: str, *, anchor: str, fill: str = INK) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}">{escape(text)}</text>'
    )


def _number(value: float) -> str:
    return f"{value:.6g}"
