"""A process whose disk is full for a while: `short.py PATH`. Prints how each append ended.

The kernel itself refuses to let any file grow (RLIMIT_FSIZE), for this process alone.
"""

import asyncio
import resource
import sys
from datetime import UTC, datetime
from pathlib import Path

from healer.errors import TimelineError
from healer.model.event import Draft, IncidentId, NothingMatched
from healer.timeline.sqlite import SqliteTimeline

AT = datetime(2026, 1, 1, tzinfo=UTC)


async def main(path: Path) -> None:
    timeline = await SqliteTimeline.open(path)
    await attempt(timeline, "before")
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = path.with_name(path.name + "-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(attempt(timeline, f"full-{number}"))
    await attempt(timeline, "still-full")
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await attempt(timeline, "after")
    await timeline.close()


async def attempt(timeline: SqliteTimeline, text: str) -> None:
    event = NothingMatched(reason=text * 1000)
    try:
        await timeline.append([Draft(incident=IncidentId(text), after=0, at=AT, event=event)])
    except TimelineError as error:
        sys.stdout.write(f"{text} refused {error}\n")
    else:
        sys.stdout.write(f"{text} written\n")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
