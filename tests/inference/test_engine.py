"""The loop, with a decoder that fails on demand: who fails alone, what a broken loop costs."""

import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field

import pytest

from inference.engine import Deliveries, Engine, Outcomes, State
from inference.sequence import Event, Finish, Sampling, Sequence


@dataclass
class CountingDecoder:
    """Its tokens are 10, 11, 12 …; a prompt of [666] fails, [13] breaks the whole step."""

    stop_tokens: frozenset[int] = frozenset({99})
    rows: dict[Sequence, int] = field(default_factory=dict[Sequence, int])
    begun: list[Sequence] = field(default_factory=list[Sequence])
    hold: threading.Event | None = None
    largest: int = 0

    def begin(self, sequence: Sequence) -> None:
        if sequence.prompt == [66]:
            msg = "cannot begin"
            raise ValueError(msg)
        self.begun.append(sequence)

    def prefill(self) -> Iterator[Outcomes]:
        begun, self.begun = self.begun, []
        for sequence in begun:
            if sequence.prompt == [666]:
                yield [(sequence, ValueError("cannot prefill"))]
            else:
                self.rows[sequence] = 10
                yield [(sequence, 10)]

    def step(self) -> Outcomes:
        if self.hold is not None:
            self.hold.wait(5)
        self.largest = max(self.largest, len(self.rows))
        outcomes: Outcomes = []
        for sequence in self.rows:
            if sequence.prompt == [13]:
                msg = "the step is broken"
                raise RuntimeError(msg)
            self.rows[sequence] += 1
            outcome: int | Exception = self.rows[sequence]
            if sequence.prompt == [7]:
                outcome = ValueError("this row only")
            outcomes.append((sequence, outcome))
        return outcomes

    def remove(self, sequences: set[Sequence]) -> None:
        for sequence in sequences:
            self.rows.pop(sequence, None)
        self.begun = [each for each in self.begun if each not in sequences]

    def clear(self) -> None:
        self.begun.clear()
        self.rows.clear()


class Listener:
    """Collects what one sequence is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.done = threading.Event()

    def take(self, event: Event) -> None:
        self.events.append(event)
        if event.finish is not None:
            self.done.set()

    @property
    def tokens(self) -> list[int]:
        return [event.token for event in self.events if event.token is not None]

    @property
    def finish(self) -> Finish | None:
        assert self.done.wait(5)
        return self.events[-1].finish


def _deliver(events: Deliveries) -> None:
    for sequence, event in events:
        sequence.sink(event)


@dataclass
class Bench:
    """An engine over the counting decoder."""

    engine: Engine
    decoder: CountingDecoder

    def submit(self, prompt: list[int], max_tokens: int = 3) -> tuple[Sequence, Listener]:
        listener = Listener()
        sequence = Sequence(
            id="x",
            prompt=prompt,
            max_tokens=max_tokens,
            sampling=Sampling(),
            sink=listener.take,
        )
        self.engine.submit(sequence)
        return sequence, listener


Make = Callable[[CountingDecoder], Bench]


@pytest.fixture
def make() -> Generator[Make]:
    engines: list[Engine] = []

    def build(decoder: CountingDecoder) -> Bench:
        loaded = threading.Event()
        engine = Engine(load=lambda: decoder, deliver=_deliver, loaded=loaded.set)
        engines.append(engine)
        engine.start()
        assert loaded.wait(5)
        return Bench(engine=engine, decoder=decoder)

    yield build
    for engine in engines:
        engine.stop(5)


def test_tokens_come_until_the_limit_or_a_stop_token_which_is_not_shown(make: Make) -> None:
    bench = make(CountingDecoder(stop_tokens=frozenset({12})))
    _, short = bench.submit([1], max_tokens=2)
    assert (short.finish, short.tokens) == (Finish.LENGTH, [10, 11])
    _, stopped = bench.submit([1], max_tokens=9)
    assert (stopped.finish, stopped.tokens) == (Finish.STOP, [10, 11])
    assert not bench.decoder.rows


def test_a_request_that_fails_fails_alone(make: Make) -> None:
    hold = threading.Event()
    bench = make(CountingDecoder(hold=hold))
    _, good = bench.submit([1], max_tokens=5)
    _, bad_start = bench.submit([66])
    _, bad_prompt = bench.submit([666])
    _, bad_row = bench.submit([7], max_tokens=5)
    hold.set()
    assert bad_start.finish is Finish.ERROR
    assert bad_prompt.finish is Finish.ERROR
    assert bad_row.finish is Finish.ERROR
    assert "this row only" in bad_row.events[-1].error
    assert (good.finish, good.tokens) == (Finish.LENGTH, [10, 11, 12, 13, 14])


def test_a_broken_step_fails_what_was_in_flight_and_the_loop_goes_on(make: Make) -> None:
    bench = make(CountingDecoder())
    _, broken = bench.submit([13])
    assert broken.finish is Finish.ERROR
    _, after = bench.submit([1])
    assert after.finish is Finish.LENGTH
    assert bench.engine.progress().restarts == 1
    assert bench.engine.progress().state is State.READY


def test_a_cancelled_sequence_frees_its_slot_and_is_told(make: Make) -> None:
    hold = threading.Event()
    bench = make(CountingDecoder(hold=hold))
    sequence, listener = bench.submit([1], max_tokens=1_000_000)
    bench.engine.cancel(sequence)
    hold.set()
    assert listener.finish is Finish.CANCELLED
    assert bench.engine.progress().running == 0
    assert not bench.decoder.rows


def test_work_without_a_step_shows_in_the_progress(make: Make) -> None:
    hold = threading.Event()
    bench = make(CountingDecoder(hold=hold))
    bench.submit([1], max_tokens=2)
    first = bench.engine.progress()
    assert first.running == 1
    hold.wait(0.05)
    later = bench.engine.progress()
    assert later.idle_seconds > first.idle_seconds
    assert later.steps == 0
    hold.set()


def test_a_stopped_engine_answers_at_once_that_it_is_stopped(make: Make) -> None:
    bench = make(CountingDecoder())
    bench.engine.stop(5)
    _, listener = bench.submit([1])
    assert listener.finish is Finish.ERROR
    assert "stopped" in listener.events[-1].error


def test_a_model_that_cannot_be_loaded_is_a_failed_engine() -> None:
    told = threading.Event()

    def load() -> CountingDecoder:
        msg = "no model at /models/x"
        raise FileNotFoundError(msg)

    engine = Engine(load=load, deliver=_deliver, loaded=told.set)
    engine.start()
    assert told.wait(5)
    assert engine.progress().state is State.FAILED
    assert "no model at /models/x" in engine.progress().failure
