"""A timeline in memory that a test can wait on: "when a step has been started, then …"."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from healer.model.event import Draft, Entry, Event
from healer.timeline.memory import MemoryTimeline
from tests.fakes.mortal import MortalTimeline


@dataclass
class WatchedTimeline(MortalTimeline):
    """Immortal. `entries` are all lines so far, of all incidents, in order."""

    entries: list[Entry] = field(default_factory=list[Entry])
    _grown: asyncio.Event = field(default_factory=asyncio.Event)

    async def append(self, drafts: Sequence[Draft], *, of: Sequence[int] = ()) -> Sequence[Entry]:
        """Write, and wake who waits."""
        written = await super().append(drafts, of=of)
        self.entries.extend(written)
        self._grown.set()
        self._grown = asyncio.Event()
        return written

    async def until(self, kind: type[Event], holds: Callable[[Event], bool] | None = None) -> None:
        """Return at once when such a line has been written."""
        seen = 0
        while True:
            for entry in self.entries[seen:]:
                if isinstance(entry.event, kind) and (holds is None or holds(entry.event)):
                    return
            seen = len(self.entries)
            await self._grown.wait()


def watched() -> WatchedTimeline:
    """An empty one."""
    return WatchedTimeline(inner=MemoryTimeline())
