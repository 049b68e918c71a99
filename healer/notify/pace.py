"""How fast a channel may be written to. Whoever is too early waits a little, or comes back later.

Coming back later is the point: a notice is made of all lines not told yet, so what would have
queued here goes out as one message instead.
"""

from datetime import UTC, datetime, timedelta

from healer.errors import TemporaryError
from healer.kit.clock import Clock

_PAST = datetime.min.replace(tzinfo=UTC)


class Pace:
    """One token bucket per key: `burst` at once, then one every `every`."""

    def __init__(
        self,
        *,
        clock: Clock,
        every: timedelta = timedelta(seconds=1.1),
        burst: int = 3,
        patience: timedelta = timedelta(seconds=5),
    ) -> None:
        self._clock = clock
        self._every, self._patience = every, patience
        self._slack = every * (burst - 1)
        self._full_at: dict[str, datetime] = {}  # when the bucket of a key would be full again

    async def take(self, key: str) -> None:
        """Return when one may be sent; TemporaryError where that is further off than patience."""
        now = self._clock.now()
        full_at = max(self._full_at.get(key, _PAST), now)
        wait = full_at - self._slack - now
        if wait > self._patience:
            message = f"{key} is being written to as fast as it allows"
            raise TemporaryError(message, retry_after=wait)
        self._full_at[key] = full_at + self._every
        await self._clock.sleep(wait)

    def hold(self, key: str, span: timedelta) -> None:
        """The other side asked for silence: nothing for `span`, then one at a time."""
        quiet = self._clock.now() + span + self._slack
        self._full_at[key] = max(self._full_at.get(key, _PAST), quiet)
