"""A timeline that dies, with its whole daemon, at a chosen write."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from healer.model.delivery import Delivery
from healer.model.event import Draft, Entry, IncidentId, IncidentKey
from healer.timeline.contract import Timeline

Written = TypeVar("Written")


@dataclass
class MortalTimeline:
    """Passes everything on until write number `dies_at`; then nothing ever returns again.

    `written` says whether that last write still reached the disk: both happen with kill -9.
    """

    inner: Timeline
    dies_at: int | None = None
    written: bool = True
    appends: int = 0
    dead: asyncio.Event = field(default_factory=asyncio.Event)

    async def append(self, drafts: Sequence[Draft], *, of: Sequence[int] = ()) -> Sequence[Entry]:
        return await self._mortal(lambda: self.inner.append(drafts, of=of))

    async def deliver(self, body: bytes) -> int:
        return await self._mortal(lambda: self.inner.deliver(body))

    async def _mortal(self, write: Callable[[], Awaitable[Written]]) -> Written:
        self.appends += 1
        if self.dead.is_set():
            await asyncio.Future[None]()
        if self.appends == self.dies_at:
            self.dead.set()
            if self.written:
                await write()
            await asyncio.Future[None]()
        return await write()

    async def delivered(self, *, after: int = 0, limit: int = 256) -> Sequence[Delivery]:
        return await self.inner.delivered(after=after, limit=limit)

    async def read(self, incident: IncidentId, *, after: int = 0) -> Sequence[Entry]:
        return await self.inner.read(incident, after=after)

    async def find_open(self, key: IncidentKey) -> IncidentId | None:
        return await self.inner.find_open(key)

    async def unfinished(self) -> Sequence[IncidentId]:
        return await self.inner.unfinished()

    async def latest(self, *, limit: int, before: int | None = None) -> Sequence[Entry]:
        return await self.inner.latest(limit=limit, before=before)

    async def changed_since(self, moment: datetime) -> Sequence[IncidentId]:
        return await self.inner.changed_since(moment)

    async def follow(self, *, after: int, limit: int = 1000) -> Sequence[Entry]:
        return await self.inner.follow(after=after, limit=limit)

    async def close(self) -> None:
        await self.inner.close()
