"""What clients ask: prompts and answer lengths by number, the same for every server and run."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass

_WORDS = [
    *(
        "server",
        "queue",
        "cache",
        "request",
        "token",
        "answer",
        "model",
        "disk",
        "memory",
        "volume",
    ),
    *("breaker", "metric", "replica", "the", "a", "of", "to", "and", "when", "it", "is", "full"),
    *("long", "late", "sound", "why", "how", "word", "count", "open", "close", "wait", "after"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request: words of prompt, and tokens wanted."""

    words: int
    tokens: int


def even(rng: random.Random) -> Ask:
    """Chat-like: every answer is of the same length."""
    return Ask(words=rng.randint(12, 48), tokens=64)


def skewed(rng: random.Random) -> Ask:
    """Most are short; some prompts are long, some answers are, and seldom both."""
    words = _one_of(rng, (0.80, 8, 40), (0.15, 80, 200), (0.05, 400, 700))
    tokens = _one_of(rng, (0.70, 8, 32), (0.25, 48, 128), (0.05, 200, 256))
    return Ask(words=words, tokens=tokens)


def _one_of(rng: random.Random, *bands: tuple[float, int, int]) -> int:
    _, least, most = rng.choices(bands, weights=[share for share, _, _ in bands])[0]
    return rng.randint(least, most)


SHAPES: dict[str, Callable[[random.Random], Ask]] = {"even": even, "skewed": skewed}


def body(shape: str, number: int, **more: object) -> bytes:
    """The JSON of request `number`: greedy, streamed, and no two prompts begin alike."""
    rng = random.Random(f"{shape} {number}")  # noqa: S311 - to be repeatable is the point
    ask = SHAPES[shape](rng)
    text = " ".join([str(number), *rng.choices(_WORDS, k=ask.words)])
    asked = {
        "prompt": text,
        "max_tokens": ask.tokens,
        "temperature": 0,
        "stream": True,
        **more,
    }
    return json.dumps(asked).encode()
