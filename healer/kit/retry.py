"""How long to wait before trying again: growing delays with jitter. Decides nothing else."""

import random
from collections.abc import Iterator
from datetime import timedelta


def delays(
    *, first: timedelta, factor: float = 2.0, cap: timedelta, jitter: float = 0.2
) -> Iterator[timedelta]:
    """Endless delays: `first`, then `factor` times the one before, up to `cap`, each ± `jitter`.

    Jitter keeps several waiters from coming back at the same moment (RFC 8085, section 3.1.3).
    """
    span = first
    while True:
        yield span * random.uniform(1 - jitter, 1 + jitter)  # noqa: S311 - no secret depends on it
        span = min(cap, span * factor)
