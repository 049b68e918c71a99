"""One generation request as the engine sees it: tokens in, events out. No text, no HTTP."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Finish(StrEnum):
    """Why a sequence ended; the first two are OpenAI's words."""

    STOP = "stop"
    LENGTH = "length"
    CANCELLED = "cancelled"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the next token is chosen; temperature 0 is greedy."""

    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What one step gave one sequence: a token, an end, or both."""

    token: int | None = None
    finish: Finish | None = None
    error: str = ""


@dataclass(slots=True, kw_only=True, eq=False)
class Sequence:
    """Owned by the decode thread once submitted; only `cancelled` is set from outside."""

    id: str
    prompt: list[int]
    max_tokens: int
    sampling: Sampling
    sink: Callable[[Event], None]
    prefix: list[Any] = field(default_factory=list[Any])
    produced: int = 0
    cancelled: bool = False
