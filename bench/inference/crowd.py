"""The clients of the soak: some stream, some vanish, some ask for too much, some are in a hurry.

One request in, one outcome out: what was answered, and whether it may be so.
"""

import asyncio
import json
import random
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

import aiohttp

TOKENS = (8, 16, 32, 64)
_PATIENCE = 60.0
"""Seconds without an answer that count as no answer at all."""


class Kind(StrEnum):
    """What is odd about a client."""

    WHOLE = "whole"
    STREAM = "stream"
    HURRIED = "hurried"
    VANISHES = "vanishes"
    TOO_LONG = "too long"
    TOO_LARGE = "too large"


_SHARES = {
    Kind.WHOLE: 30,
    Kind.STREAM: 40,
    Kind.HURRIED: 5,
    Kind.VANISHES: 15,
    Kind.TOO_LONG: 8,
    Kind.TOO_LARGE: 2,
}
_PRIORITIES = {"high": 15, "normal": 60, "low": 25}
_ALLOWED = {
    Kind.WHOLE: {"200", "429"},
    Kind.STREAM: {"200", "429"},
    Kind.HURRIED: {"200", "429", "504", "expired"},
    Kind.VANISHES: {"200", "429", "gone"},
    Kind.TOO_LONG: {"400"},
    Kind.TOO_LARGE: {"413"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One of them, by number."""

    number: int
    kind: Kind
    priority: str
    tokens: int
    patience: float

    def body(self) -> dict[str, object]:
        """The JSON it sends; most prompts are its own, some begin as others do."""
        words = f"{self.number} the queue is long and the disk is full"
        if self.number % 4 == 0:
            words = f"A server keeps a queue, a cache and a promise. {words}"
        repeated = {Kind.TOO_LONG: 400, Kind.TOO_LARGE: 7_000}.get(self.kind, 1)
        return {
            "prompt": f"{words} " * repeated,
            "max_tokens": self.tokens,
            "temperature": 0,
            "stream": self.kind in (Kind.STREAM, Kind.HURRIED) or self.number % 2 == 0,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it; `first` and `whole` in seconds."""

    request: Request
    answer: str
    first: float
    whole: float

    @property
    def fault(self) -> str:
        """Why it must not be so, empty when it may."""
        if self.answer in _ALLOWED[self.request.kind]:
            return ""
        return f"{self.request.kind}: {self.answer}"


def request(number: int, *, kind: Kind | None = None) -> Request:
    """The same number gives the same request."""
    rng = random.Random(number)  # noqa: S311 - to be repeatable is the point
    return Request(
        number=number,
        kind=kind or rng.choices(list(_SHARES), weights=list(_SHARES.values()))[0],
        priority=rng.choices(list(_PRIORITIES), weights=list(_PRIORITIES.values()))[0],
        tokens=rng.choice(TOKENS),
        patience=rng.choice((0.0, 0.05, 0.3, 1.0, 2.0)),
    )


async def ask(session: aiohttp.ClientSession, asked: Request) -> Outcome:
    """Send it and wait for the last byte, unless it is one that leaves."""
    begun = time.perf_counter()
    first: list[float] = []
    vanishes = asked.kind is Kind.VANISHES
    try:
        async with asyncio.timeout(asked.patience if vanishes else _PATIENCE):
            answer = await _answer(session, asked, first)
    except TimeoutError:
        answer = "gone" if vanishes else "no answer"
    except aiohttp.ClientError as error:
        answer = type(error).__name__
    whole = time.perf_counter() - begun
    at = first[0] - begun if first else whole
    return Outcome(request=asked, answer=answer, first=at, whole=whole)


async def _answer(session: aiohttp.ClientSession, asked: Request, first: list[float]) -> str:
    headers = {"X-Priority": asked.priority}
    if asked.kind is Kind.HURRIED:
        headers["X-Request-Timeout"] = "1.5"
    body = asked.body()
    async with session.post("/v1/completions", json=body, headers=headers) as response:
        first_bytes = await response.content.readany()
        first.append(time.perf_counter())
        said = first_bytes + await response.content.read()
        if response.status == 429 and int(response.headers.get("Retry-After", "0")) < 1:
            return "429 without Retry-After"
        if response.status != 200:
            return str(response.status)
        return _streamed(said) if body["stream"] else _whole(said)


def _whole(said: bytes) -> str:
    told = cast("dict[str, Any]", json.loads(said))
    ended = told["choices"][0]["finish_reason"] in ("length", "stop")
    return "200" if ended and told["usage"]["completion_tokens"] else "unfinished"


def _streamed(said: bytes) -> str:
    if b'"deadline_exceeded"' in said:
        return "expired"
    if b'"error"' in said:
        return said[-300:].decode(errors="replace")
    ended = b'"finish_reason": "' in said or b'"finish_reason":"' in said
    return "200" if ended and said.endswith(b"data: [DONE]\n\n") else "unfinished"
