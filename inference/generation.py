"""One generation from tokens to text: cached prefix, engine, detokenising, stop strings.

It knows neither HTTP nor how the engine works; closing the stream early frees the slot.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from inference.cache import PrefixCache
from inference.engine import Engine
from inference.sequence import Event, Finish, Sampling, Sequence
from inference.text import Detokenizer, StopScanner, Tokenizer


class GenerationError(Exception):
    """The engine failed this request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be generated."""

    id: str
    prompt: list[int]
    max_tokens: int
    sampling: Sampling
    stops: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some text (possibly none), tokens so far, and the end if this is it."""

    text: str
    tokens: int
    finish: Finish | None = None


class Generator:
    """Runs orders on one engine."""

    def __init__(
        self, *, engine: Engine, cache: PrefixCache, tokenizer: Tokenizer, digest: str
    ) -> None:
        self._digest = digest
        self._engine = engine
        self._cache = cache
        self._tokenizer = tokenizer

    async def run(self, order: Order) -> AsyncGenerator[Piece]:
        """Pieces of text as they come; the last one says why it ended."""
        events: asyncio.Queue[Event] = asyncio.Queue()
        sequence = Sequence(
            id=order.id,
            prompt=order.prompt,
            max_tokens=order.max_tokens,
            sampling=order.sampling,
            sink=events.put_nowait,
            prefix=await self._cache.find(order.prompt, digest=self._digest),
        )
        writer = _Writer(self._tokenizer, order.stops)
        self._engine.submit(sequence)
        try:
            while True:
                piece = writer.take(await events.get())
                yield piece
                if piece.finish is not None:
                    return
        finally:
            self._engine.cancel(sequence)


class _Writer:
    """Turns events into pieces."""

    def __init__(self, tokenizer: Tokenizer, stops: tuple[str, ...]) -> None:
        self._text = Detokenizer(tokenizer)
        self._scanner = StopScanner(stops)
        self._tokens = 0

    def take(self, event: Event) -> Piece:
        """The piece that this event makes."""
        if event.finish is Finish.ERROR:
            raise GenerationError(event.error)
        text = ""
        if event.token is not None:
            self._tokens += 1
            text = self._scanner.push(self._text.push(event.token))
        if event.finish is not None:
            text += self._rest()
        finish = Finish.STOP if self._scanner.stopped else event.finish
        return Piece(text=text, tokens=self._tokens, finish=finish)

    def _rest(self) -> str:
        if self._scanner.stopped:
            return ""
        shown = self._scanner.push(self._text.finish())
        return shown + self._scanner.finish()
