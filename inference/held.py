"""One model as it is held: its engine, what became of its loading, and the memory it takes."""

import asyncio
import ctypes
import gc
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inference.engine import Engine, State
from inference.integrity import Proof, UnsoundError


class LoadFailedError(Exception):
    """The model could not be loaded; what served before serves on."""


@dataclass(slots=True, kw_only=True, eq=False)
class Held:
    """Not frozen: weights and proof come with the loading, and go when it is retired."""

    name: str
    folder: Path
    engine: Engine
    outcome: asyncio.Future[None]
    share: float | None = None
    """Of the GPUs' memory; None is the one in force when it is read."""
    model: Any = field(default=None)
    proof: Proof | None = field(default=None)
    unsound: UnsoundError | None = field(default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a load came to."""

    name: str
    seconds: float
    replaced: str | None


def settle(held: Held) -> None:
    """The engine has loaded, or has given up: tell those who wait."""
    if held.outcome.done():
        return
    progress = held.engine.progress()
    if progress.state is State.READY:
        held.outcome.set_result(None)
    else:
        held.outcome.set_exception(LoadFailedError(progress.failure))


def free_memory() -> None:
    """Give back what the model held, to the system too where the C library can."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
