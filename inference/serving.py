"""A loaded model as the HTTP edges use it, and who is using it."""

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from inference.generation import Generator as Generating
from inference.text import Tokenizer


def _unused() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass(slots=True, kw_only=True, eq=False)
class Serving:
    """One model; a request that has begun with it, waiting included, ends with it."""

    name: str
    generator: Generating
    tokenizer: Tokenizer
    context: int
    budget: int
    vocabulary: int
    created: int = field(default_factory=lambda: int(time.time()))
    users: int = 0
    unused: asyncio.Event = field(default_factory=_unused)

    @contextmanager
    def used(self) -> Generator["Serving"]:
        """Keep the model from going away."""
        self.users += 1
        self.unused.clear()
        try:
            yield self
        finally:
            self.users -= 1
            if self.users == 0:
                self.unused.set()
