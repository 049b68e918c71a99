"""`python -m tests.chaos.mortal_daemon`: gives birth to real daemons that kill themselves.

One warm process has imported everything and forks a child for each life, for starting Python is
what takes long. A child is the whole daemon on a real file; at the write that its order names it
ends by SIGKILL, before or after the line is on disk; but where that would cut a step short that
its order spares, it lives until right before the end of that step is written. Orders come on stdin,
one JSON a line.
"""

import asyncio
import contextlib
import json
import os
import select
import signal
import sys
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes_asyncio import stream
from prometheus_api_client import prometheus_connect

from healer.app.daemon import daemon
from healer.cli import serve
from healer.model.event import Draft, Entry, Event, Moment, StepFinished, StepStarted, Verified
from healer.settings import load_settings
from healer.timeline.sqlite import SqliteTimeline
from tests.fakes.mortal import MortalTimeline, Written

WARM = (stream, prometheus_connect, serve)
"""What the daemon imports only when it needs it."""


@dataclass
class SuicidalTimeline(MortalTimeline):
    """Says what is on disk, and takes the process with it."""

    life: str = ""
    spares: Collection[str] = ()
    passes: bool = False
    """Are deliveries, and the noting that one brought no news, no writes to die at?"""
    _sparing: bool = False

    async def append(self, drafts: Sequence[Draft], *, of: Sequence[int] = ()) -> Sequence[Entry]:
        if self.passes and not drafts:
            return await self.inner.append(drafts, of=of)
        events = [draft.event for draft in drafts]
        return await self._write(lambda: self.inner.append(drafts, of=of), *events)

    async def deliver(self, body: bytes) -> int:
        if self.passes:
            return await self.inner.deliver(body)
        return await self._write(lambda: self.inner.deliver(body))

    async def _write(self, write: Callable[[], Awaitable[Written]], *events: Event) -> Written:
        self.appends += 1
        last = self.appends == self.dies_at
        kinds = " ".join(type(event).__name__ for event in events) or "Delivery"
        if last:
            _say(life=self.life, dies=kinds)
        if last and not self.written:
            _die()
        if self._sparing and any(isinstance(one, StepFinished) for one in events):
            _die()
        written = await write()
        begun = [one.step for one in events if isinstance(one, StepStarted)]
        _say(
            life=self.life,
            append=kinds,
            begun=" ".join(begun),
            healed=any(map(_is_healed, events)),
        )
        self._sparing = self._sparing or any(step in self.spares for step in begun)
        if last and not self._sparing:
            _die()
        return written


def _is_healed(event: Event) -> bool:
    return isinstance(event, Verified) and event.moment is Moment.AFTER and event.healed


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _say(**what: Any) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


async def _live(order: dict[str, Any]) -> None:
    settings = load_settings(Path(order["config"]), order["environment"])
    timeline = SuicidalTimeline(
        inner=await SqliteTimeline.open(settings.timeline),
        dies_at=order["dies_at"],
        written=order["written"],
        life=order["life"],
        spares=order["spares"],
        passes=order["passes"],
    )
    async with daemon(settings, timeline=timeline) as port:
        _say(life=order["life"], port=port, pid=os.getpid())
        await asyncio.Event().wait()


def _be_born(order: dict[str, Any]) -> None:
    """In the child: never returns."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 2)
    os.close(0)
    try:
        asyncio.run(_live(order))
    finally:
        sys.stderr.flush()
        os._exit(1)


def _ended(lives: dict[int, str]) -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            _say(life=lives.pop(pid), ended=os.waitstatus_to_exitcode(status))


def _orders(bell: int, lives: dict[int, str]) -> Iterator[dict[str, Any]]:
    """Until stdin ends. The bell rings when a child has died."""
    rest = b""
    while True:
        readable, _, _ = select.select([0, bell], [], [])
        if bell in readable:
            os.read(bell, 4096)
            _ended(lives)
        if 0 in readable:
            data = os.read(0, 65536)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            yield from map(json.loads, lines)


def _heard(*_: object) -> None:
    """The bell is rung by the wake-up fd, which needs a handler beside it."""


def main() -> None:
    """Fork a daemon for every order; at the end none is left."""
    bell, rope = os.pipe()
    os.set_blocking(rope, False)
    signal.signal(signal.SIGCHLD, _heard)
    signal.set_wakeup_fd(rope)
    lives: dict[int, str] = {}
    try:
        for order in _orders(bell, lives):
            pid = os.fork()
            if not pid:
                _be_born(order)
            lives[pid] = order["life"]
    finally:
        for pid in lives:
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
