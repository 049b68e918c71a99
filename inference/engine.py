"""The engine's loop: a thread that prefills, decodes all sequences together, and tells each.

It knows no torch: the decoder below it does the sums. Admission is not its business either: it
runs whatever it was handed, so that the queue lives in one place only.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from inference.sequence import Event, Finish, Sequence

log = logging.getLogger("inference.engine")

Deliveries = list[tuple[Sequence, Event]]
Outcomes = list[tuple[Sequence, int | Exception]]


class State(StrEnum):
    """Life of the engine."""

    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"
    REFUSED = "refused"
    UNLOADED = "unloaded"
    STOPPED = "stopped"


class RefusedError(Exception):
    """The model must not be served: neither a new try nor a new process would change that."""


class Decoder(Protocol):
    """The sums: prefills sequences and decodes them together."""

    stop_tokens: frozenset[int]

    def begin(self, sequence: Sequence) -> None:
        """Start to prefill one sequence; several may be under way."""
        ...

    def prefill(self) -> Iterator[Outcomes]:
        """One more chunk for all that were begun, some at a time: first tokens, and failures."""
        ...

    def step(self) -> Outcomes:
        """Decode one token for every running sequence."""
        ...

    def remove(self, sequences: set[Sequence]) -> None:
        """Forget sequences, wherever they are."""
        ...

    def clear(self) -> None:
        """Forget everything, without looking at it: some of it may be broken."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The heartbeat that health is judged by. `cached`: tokens whose keys and values are in use."""

    state: State
    running: int
    cached: int
    steps: int
    tokens: int
    idle_seconds: float
    restarts: int
    failure: str


class Engine:
    """Continuous batching on a thread of its own."""

    def __init__(
        self,
        *,
        load: Callable[[], Decoder],
        deliver: Callable[[Deliveries], None],
        loaded: Callable[[], None],
        step_floor: float = 0.0,
    ) -> None:
        self._load = load
        self._deliver = deliver
        self._loaded = loaded
        self._step_floor = step_floor
        self._wake = threading.Condition()
        self._inbox: deque[Sequence] = deque()
        self._prefilling: set[Sequence] = set()
        self._decoding: set[Sequence] = set()
        self._events: Deliveries = []
        self._stopping = threading.Event()
        self._state = State.LOADING
        self._failure = ""
        self._steps = self._tokens = self._restarts = self._cached = 0
        self._moved = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="decode", daemon=True)

    def start(self) -> None:
        """Load the model and begin to serve; returns at once."""
        self._thread.start()

    def submit(self, sequence: Sequence) -> None:
        """Run this sequence from the next step on."""
        with self._wake:
            if self._state is State.READY:
                if not self._held() and not self._inbox:
                    self._moved = time.monotonic()
                self._inbox.append(sequence)
                self._wake.notify()
                return
        text = self._failure or f"the engine is {self._state}"
        sequence.sink(Event(finish=Finish.ERROR, error=text))

    def cancel(self, sequence: Sequence) -> None:
        """Free the sequence's slot at the next step."""
        sequence.cancelled = True

    def stop(self, timeout: float) -> None:
        """End the thread; what still runs is dropped."""
        self._stopping.set()
        with self._wake:
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def progress(self) -> Progress:
        """How the loop is doing, readable from any thread."""
        return Progress(
            state=self._state,
            running=self._held() + len(self._inbox),
            cached=self._cached,
            steps=self._steps,
            tokens=self._tokens,
            idle_seconds=time.monotonic() - self._moved,
            restarts=self._restarts,
            failure=self._failure,
        )

    def _held(self) -> int:
        return len(self._prefilling) + len(self._decoding)

    def _run(self) -> None:
        try:
            decoder = self._load()
        except RefusedError as error:
            log.critical("Model refused: %s", error, extra={"event": "model_refused"})
            self._failure = str(error)
            self._state = State.REFUSED
            self._loaded()
            return
        except Exception as error:
            self._failure = f"{type(error).__name__}: {error}"
            told = {"event": "model_load_failed", "error": self._failure}
            log.exception("Model cannot be loaded", extra=told)
            self._state = State.FAILED
            self._loaded()
            return
        self._state = State.READY
        self._loaded()
        try:
            while not self._stopping.is_set():
                self._turns(decoder)
        except Exception as error:
            log.exception("Engine died", extra={"event": "engine_died"})
            self._failure = f"{type(error).__name__}: {error}"
        finally:
            self._state = State.STOPPED if self._stopping.is_set() else State.FAILED
            self._lose(self._failure or "the engine was stopped")

    def _turns(self, decoder: Decoder) -> None:
        try:
            while not self._stopping.is_set():
                self._turn(decoder)
        except Exception as error:
            log.exception("Decode loop failed", extra={"event": "engine_restart"})
            self._restarts += 1
            decoder.clear()
            self._lose(f"{type(error).__name__}: {error}")

    def _turn(self, decoder: Decoder) -> None:
        self._take(decoder)
        started = time.monotonic()
        self._drop_cancelled(decoder)
        self._prefill(decoder)
        self._flush()
        if self._decoding:
            self._decode(decoder)
            # A slow model's tokens are late, so the pace comes before they are told.
            self._pace(started)
            self._flush()
        self._cached = sum(len(each.prompt) + each.produced for each in self._decoding)

    def _take(self, decoder: Decoder) -> None:
        with self._wake:
            while not (self._inbox or self._held() or self._stopping.is_set()):
                self._wake.wait()
            fresh = list(self._inbox)
            self._prefilling.update(fresh)
            self._inbox.clear()
        for sequence in fresh:
            try:
                decoder.begin(sequence)
            except Exception as error:  # noqa: BLE001 - it fails alone
                self._prefilling.discard(sequence)
                self._fail(decoder, sequence, error)

    def _drop_cancelled(self, decoder: Decoder) -> None:
        gone = {each for each in (*self._prefilling, *self._decoding) if each.cancelled}
        if not gone:
            return
        decoder.remove(gone)
        self._prefilling -= gone
        self._decoding -= gone
        self._events.extend((each, Event(finish=Finish.CANCELLED)) for each in gone)

    def _prefill(self, decoder: Decoder) -> None:
        """Each prompt's first token is told before the next prompts are looked at."""
        if not self._prefilling:
            return
        for outcomes in decoder.prefill():
            self._prefilling.difference_update(sequence for sequence, _ in outcomes)
            self._decoding.update(sequence for sequence, _ in outcomes)
            self._settle(decoder, outcomes)
            self._flush()

    def _decode(self, decoder: Decoder) -> None:
        outcomes = decoder.step()
        self._steps += 1
        self._settle(decoder, outcomes)

    def _settle(self, decoder: Decoder, outcomes: Outcomes) -> None:
        self._beat()
        ended: set[Sequence] = set()
        for sequence, outcome in outcomes:
            if isinstance(outcome, Exception):
                self._decoding.discard(sequence)
                self._fail(decoder, sequence, outcome)
            elif self._emit(decoder, sequence, outcome):
                ended.add(sequence)
        if ended:
            decoder.remove(ended)
            self._decoding -= ended

    def _emit(self, decoder: Decoder, sequence: Sequence, token: int) -> bool:
        """Tell one token; true when the sequence ended with it."""
        sequence.produced += 1
        self._tokens += 1
        finish: Finish | None = None
        if token in decoder.stop_tokens:
            finish = Finish.STOP
        elif sequence.produced >= sequence.max_tokens:
            finish = Finish.LENGTH
        shown = None if finish is Finish.STOP else token
        self._events.append((sequence, Event(token=shown, finish=finish)))
        return finish is not None

    def _fail(self, decoder: Decoder, sequence: Sequence, error: Exception) -> None:
        log.error("Request failed: %s", error, extra={"event": "request_failed", "id": sequence.id})
        decoder.remove({sequence})
        text = f"{type(error).__name__}: {error}"
        self._events.append((sequence, Event(finish=Finish.ERROR, error=text)))

    def _lose(self, text: str) -> None:
        """Fail what was in flight; what waits for admission never notices."""
        with self._wake:
            lost = {*self._prefilling, *self._decoding, *self._inbox}
            self._inbox.clear()
        self._prefilling, self._decoding, self._cached = set(), set(), 0
        self._events.extend((each, Event(finish=Finish.ERROR, error=text)) for each in lost)
        self._flush()

    def _beat(self) -> None:
        self._moved = time.monotonic()

    def _flush(self) -> None:
        if self._events:
            events, self._events = self._events, []
            self._deliver(events)

    def _pace(self, started: float) -> None:
        rest = self._step_floor - (time.monotonic() - started)
        if rest > 0:
            self._stopping.wait(rest)
