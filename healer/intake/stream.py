"""A timeline as server-sent events: ids are entry numbers, so a reader resumes where it was."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta

import orjson
from aiohttp import web

from healer.intake import view
from healer.intake.contract import Desk, Words
from healer.intake.limit import Limits
from healer.intake.reply import RefusedError, retry_later
from healer.model.event import Archived, Entry, IncidentId

BEAT = timedelta(seconds=15)
"""A silent stream sends a comment this often, so that proxies keep it open."""


def wanted(request: web.Request) -> bool:
    """Does the client ask for events?"""
    return "text/event-stream" in request.headers.get("Accept", "")


class Streams:
    """Those being read now; their number is bounded, and `close` ends them all."""

    def __init__(self, *, desk: Desk, words: Words, limits: Limits, beat: timedelta = BEAT) -> None:
        self._desk = desk
        self._words = words
        self._limits = limits
        self._beat = beat
        self._tasks: set[asyncio.Task[object]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    async def follow(
        self, request: web.Request, incident: IncidentId, *, after: int
    ) -> web.StreamResponse:
        """Send what is there and what comes, until the incident is archived or the reader gone."""
        after = _resumed(request) or after
        if len(self._tasks) >= self._limits.streams:
            raise retry_later("too many streams are being read", self._limits)
        if await self._over(incident, after):
            return web.Response(status=204)  # tells an EventSource not to come back
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        task = asyncio.current_task()
        if task is None:
            message = "a stream is served by a task"
            raise RuntimeError(message)
        self._tasks.add(task)
        try:
            await response.prepare(request)
            async for frame in self.frames(incident, after=after):
                async with asyncio.timeout(self._limits.read.total_seconds()):
                    await response.write(frame)
        except TimeoutError:
            if request.transport:
                request.transport.abort()  # a reader that does not read holds memory
        finally:
            self._tasks.discard(task)
        return response

    def close(self) -> None:
        """The daemon ends: readers come back to the next one."""
        for task in tuple(self._tasks):
            task.cancel()

    async def frames(self, incident: IncidentId, *, after: int) -> AsyncGenerator[bytes]:
        """What a reader gets, entry by entry, with comments while nothing happens."""
        last: Entry | None = None
        while not (last and isinstance(last.event, Archived)):
            entries = await self._desk.entries(incident, after=after)
            for entry in entries:
                content = orjson.dumps(view.entry(entry, self._words))
                yield b"id: %d\ndata: %s\n\n" % (entry.seq, content)
                last, after = entry, entry.seq
            if not entries:
                await self._desk.changed(incident, after=after, timeout=self._beat)
                yield b": still here\n\n"
        yield b"event: end\ndata: {}\n\n"

    async def _over(self, incident: IncidentId, after: int) -> bool:
        known = await self._desk.incident(incident)
        return known is not None and known.archived and known.seq <= after


def _resumed(request: web.Request) -> int:
    text = request.headers.get("Last-Event-ID", "")
    if text and not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise RefusedError(400, f"Last-Event-ID must be a number, not {text[:40]!r}")
    return int(text or "0")
