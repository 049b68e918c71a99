"""What the soak found, as a table: what has to be, and whether it is."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.inference.crowd import Kind, Outcome
from bench.inference.measure import quantile
from bench.inference.watch import Watch
from bench.report import columns

_GROWTH = 32 * 10**6
_SOON = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """Seconds of measuring what the server can do, and of asking for `times` as much."""

    calibrate: float
    storm: float
    times: float = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Everything that was seen. Rates in requests a second, times in seconds.

    `capacity` is what was served at full places just before, `most` what the places ever allow.
    `left`: requests active, queued, and held by the engine, once all clients were gone.
    `places`: how many requests ran at once when all places were asked for, and how many there are.
    """

    effort: Effort
    capacity: float
    most: float
    rate: float
    outcomes: tuple[Outcome, ...]
    watch: Watch
    settled: float
    left: tuple[int, int, int]
    served: float
    places: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line. `met` None: nothing is aimed at."""

    name: str
    found: str
    aim: str = ""
    met: bool | None = None

    def cells(self) -> tuple[str, ...]:
        """As they are printed."""
        said = "" if self.met is None else "yes" if self.met else "no"
        return (self.name, self.found, self.aim, said)


def table(rows: Sequence[Row]) -> str:
    """For people."""
    return columns([("measured", "healer", "aim", "met"), *(row.cells() for row in rows)])


def rows_of(found: Found) -> list[Row]:
    """Every line of it."""
    return [*_load(found), *_answers(found), *_order(found), *_state(found), *_after(found)]


def _load(found: Found) -> Iterable[Row]:
    times = found.rate / found.most
    yield Row(
        name="served at full places, and at most possible: requests/s",
        found=f"{found.capacity:.1f}, {found.most:.1f}",
    )
    yield Row(
        name=f"asked for, {found.effort.storm:.0f} s long: requests/s",
        found=f"{found.rate:.1f}, {times:.1f} times",
        aim=f">= {0.8 * found.effort.times:.1f} times",
        met=times >= 0.8 * found.effort.times,
    )
    kinds = Counter(each.request.kind for each in found.outcomes)
    text = ", ".join(f"{kinds[kind]} {kind}" for kind in Kind)
    yield Row(name="  of them", found=text)


def _answers(found: Found) -> Iterable[Row]:
    answers = Counter(each.answer for each in found.outcomes)
    text = ", ".join(f"{number} {answer}" for answer, number in answers.most_common(8))
    yield Row(name="answered", found=text)
    faults = Counter(each.fault for each in found.outcomes if each.fault)
    yield Row(
        name="  without an answer, or with a wrong one",
        found=", ".join(f"{number} {fault}" for fault, number in faults.items()) or "0",
        aim="0",
        met=not faults,
    )


def _order(found: Found) -> Iterable[Row]:
    """The high ones are turned away last, and wait least."""
    shares = [_served(found, priority) for priority in ("high", "normal", "low")]
    yield Row(
        name="served of high / normal / low priority",
        found=" / ".join(f"{share:.0%}" for share in shares),
        aim="not rising",
        met=shares[0] >= shares[1] >= shares[2],
    )
    waits = [_first(found, priority) for priority in ("high", "normal", "low")]
    yield Row(
        name="  first token, high / normal / low: p50 ms",
        found=" / ".join(f"{wait * 1e3:.0f}" for wait in waits),
        aim="high < normal",
        met=waits[0] < waits[1],
    )


def _of(found: Found, priority: str) -> list[Outcome]:
    plain = (Kind.STREAM, Kind.WHOLE)
    return [
        each
        for each in found.outcomes
        if each.request.priority == priority and each.request.kind in plain
    ]


def _served(found: Found, priority: str) -> float:
    outcomes = _of(found, priority)
    return sum(each.answer == "200" for each in outcomes) / max(1, len(outcomes))


def _first(found: Found, priority: str) -> float:
    streamed = [
        each.first
        for each in _of(found, priority)
        if each.answer == "200" and each.request.kind is Kind.STREAM
    ]
    return quantile(streamed, 0.5)


def _state(found: Found) -> Iterable[Row]:
    looks = found.watch.looks
    if not looks:
        yield Row(name="liveness probes that failed", found="none was asked", aim="0", met=False)
        return
    dead = Counter(look.live for look in looks if look.live)
    yield Row(
        name="liveness probes that failed",
        found=f"{sum(dead.values())} of {len(looks)} {dict(dead) or ''}".strip(),
        aim="0",
        met=not dead,
    )
    yield Row(
        name="  answered in: p50 / worst ms",
        found=f"{quantile([each.seconds for each in looks], 0.5) * 1e3:.0f} / "
        f"{max(each.seconds for each in looks) * 1e3:.0f}",
    )
    yield Row(
        name="most at once: active, queued",
        found=f"{max(each.active for each in looks)}, {max(each.queued for each in looks)}",
    )
    early, late = found.watch.growth()
    yield Row(
        name="memory, second fifth and last fifth: MB",
        found=f"{early / 1e6:.0f}, {late / 1e6:.0f}",
        aim=f"+ {_GROWTH / 1e6:.0f} at most",
        met=late - early <= _GROWTH,
    )


def _after(found: Found) -> Iterable[Row]:
    # What waits when the last client has come takes its time however well the server is.
    backlog = max((each.active + each.queued for each in found.watch.looks), default=0)
    soon = _SOON + backlog / found.capacity
    yield Row(
        name="left active, queued, in the engine",
        found=", ".join(map(str, found.left)),
        aim="0, 0, 0",
        met=not any(found.left),
    )
    yield Row(
        name="  empty after the last client: s",
        found=f"{found.settled:.1f}",
        aim=f"<= {soon:.1f}",
        met=found.settled <= soon,
    )
    yield Row(
        name="next request served in: s",
        found=f"{found.served:.2f}",
        aim=f"<= {soon:.1f}",
        met=found.served <= soon,
    )
    ran, places = found.places
    yield Row(
        name="places that can still be taken at once",
        found=f"{ran} of {places}",
        aim="all",
        met=ran == places,
    )
