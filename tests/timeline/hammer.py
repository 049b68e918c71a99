"""A process that appends until it is killed, and says what was acknowledged: `hammer.py PATH`.

Every call writes one line to each incident of a pair, so a half transaction would show.
"""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from healer.model.event import Draft, IncidentId, NothingMatched
from healer.timeline.sqlite import SqliteTimeline

PAIRS = 8
AT = datetime(2026, 1, 1, tzinfo=UTC)


async def hammer(path: Path) -> None:
    timeline = await SqliteTimeline.open(path)
    async with asyncio.TaskGroup() as group:
        for pair in range(PAIRS):
            group.create_task(append_for_ever(timeline, pair))


async def append_for_ever(timeline: SqliteTimeline, pair: int) -> None:
    both = [IncidentId(f"left-{pair}"), IncidentId(f"right-{pair}")]
    after = len(await timeline.read(both[0]))
    while True:
        event = NothingMatched(reason=f"{pair}.{after + 1}" + "." * (after % 5000))
        drafts = [Draft(incident=name, after=after, at=AT, event=event) for name in both]
        after = (await timeline.append(drafts))[0].seq
        sys.stdout.write(f"{pair} {after}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(hammer(Path(sys.argv[1])))
