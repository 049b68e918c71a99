"""Says which expert suits a text. Loads beside the traffic, and may fail: then it says why.

Everything slow happens on one thread of its own, and nobody waits for it longer than agreed.
"""

import asyncio
import logging
import random
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from inference.router.minilm import ClassifierError, Vector, cosine
from inference.router.settings import Expert

log = logging.getLogger("inference.router.classifier")

_FIRST_PAUSE = 5.0
"""Seconds; most of what keeps it from loading is a volume that comes late."""
_REMEMBERED = 2048
_LONGEST = 4000
_MOST_WAITING = 64


class State(StrEnum):
    """Of the classifier."""

    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


class Model(Protocol):
    """Texts to unit vectors; called from one thread."""

    def embed(self, texts: list[str]) -> list[Vector]:
        """One vector a text."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The best expert for a text, and how alike its nearest example is: 0 to 1."""

    expert: str
    score: float


class Classifier:
    """Event loop only, but for the loading and the sums."""

    def __init__(
        self, *, load: Callable[[], Model], experts: list[Expert], retry_seconds: float
    ) -> None:
        self._load = load
        self._experts = experts
        self._retry = retry_seconds
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="classifier")
        self._model: Model | None = None
        self._examples: list[tuple[str, Vector]] = []
        self._known: OrderedDict[str, Match] = OrderedDict()
        self._waiting = 0
        self._tries_at: float | None = None
        self.state = State.LOADING
        self.failure = ""
        self.decided = asyncio.Event()
        """Set once it has been loaded or has failed for the first time."""

    async def run(self) -> None:
        """Load it, and load it again for as long as that fails; then there is nothing to do.

        Each pause is twice the one before, up to `retry_seconds`, with jitter: replicas on one
        volume do not all come back at the same moment (runbook A, error handling).
        """
        loop, longest = asyncio.get_running_loop(), min(_FIRST_PAUSE, self._retry)
        pause = _jittered(longest)
        while not await self._begin(pause):
            self._tries_at = loop.time() + pause
            await asyncio.sleep(pause)
            self._tries_at = None
            longest = min(self._retry, 2 * longest)
            pause = _jittered(longest)

    def next_try_seconds(self) -> float:
        """Until it is loaded again; 0 while it is being loaded, and once it is there."""
        if self._tries_at is None:
            return 0.0
        return max(0.0, self._tries_at - asyncio.get_running_loop().time())

    async def best(self, text: str, *, timeout: float) -> Match:
        """ClassifierError when it is not there or fails; TimeoutError when it takes too long."""
        if self.state is not State.READY:
            raise ClassifierError(self.failure or "the classifier is loading")
        text = text[:_LONGEST]
        if text in self._known:
            self._known.move_to_end(text)
            return self._known[text]
        if self._waiting >= _MOST_WAITING:
            msg = "too many requests wait for the classifier"
            raise ClassifierError(msg)
        self._waiting += 1
        try:
            async with asyncio.timeout(timeout):
                loop = asyncio.get_running_loop()
                match = await loop.run_in_executor(self._pool, self._classify, text)
        finally:
            self._waiting -= 1
        self._known[text] = match
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return match

    def close(self) -> None:
        """Begin nothing new; a hung thread is left behind."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _begin(self, pause: float) -> bool:
        try:
            await asyncio.get_running_loop().run_in_executor(self._pool, self._open)
        except Exception as error:  # noqa: BLE001 - whatever it is, requests go to the fallback
            self.state, self.failure = State.FAILED, str(error) or type(error).__name__
            told = {"event": "classifier_failed", "retry_seconds": round(pause, 1)}
            log.error("Classifier cannot be loaded: %s", self.failure, extra=told)  # noqa: TRY400 - the text says it
            return False
        else:
            self.state, self.failure = State.READY, ""
            log.info("Classifier ready", extra={"event": "classifier_ready"})
            return True
        finally:
            self.decided.set()

    def _open(self) -> None:
        self._model = self._load()
        pairs = [(each.name, text) for each in self._experts for text in each.examples]
        vectors = self._model.embed([text for _, text in pairs])
        self._examples = [(name, vector) for (name, _), vector in zip(pairs, vectors, strict=True)]

    def _classify(self, text: str) -> Match:
        if self._model is None:
            msg = "the classifier is not loaded"
            raise ClassifierError(msg)
        (vector,) = self._model.embed([text])
        score, name = max((cosine(vector, each), name) for name, each in self._examples)
        return Match(expert=name, score=max(0.0, score))


def _jittered(pause: float) -> float:
    return pause * random.uniform(0.9, 1.1)  # noqa: S311 - no secret
