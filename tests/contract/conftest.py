"""Every adapter of the timeline, one after the other."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from healer.timeline.contract import Timeline
from healer.timeline.memory import MemoryTimeline
from healer.timeline.sqlite import SqliteTimeline


async def opened_timeline(kind: str, folder: Path) -> Timeline:
    match kind:
        case "memory":
            return MemoryTimeline()
        case "sqlite":
            return await SqliteTimeline.open(folder / "timeline.db")
        case _:
            raise AssertionError(kind)


@pytest.fixture(params=["memory", "sqlite"])
async def timeline(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Timeline]:
    timeline = await opened_timeline(str(request.param), tmp_path)
    yield timeline
    await timeline.close()
