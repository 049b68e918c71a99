"""The loop of every controller: watches wake, keys wait once each, the level decides."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from healer.lab.contract import Change, Cluster, Object

logger = logging.getLogger(__name__)

Key = tuple[str, str]
"""Namespace and name."""

_AGAIN_AFTER_ERROR = 1.0


def key_of(obj: Object) -> Key:
    """The key of an object."""
    meta = obj["metadata"]
    return str(meta.get("namespace", "")), str(meta["name"])


def itself(change: Change) -> Iterable[Key]:
    """A change wakes the key of its own object."""
    return (key_of(change.object),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """Which watches wake which keys, and what is done with a key.

    `reconcile` answers after how many seconds to look again without a wake, or None.
    """

    name: str
    watches: Mapping[str, Callable[[Change], Iterable[Key]]]
    reconcile: Callable[[Key], Awaitable[float | None]]


@dataclass(slots=True)
class _Work:
    """Keys that wait, each once; and those that wait for a moment."""

    waiting: dict[Key, None] = field(default_factory=dict[Key, None])
    later: dict[Key, asyncio.TimerHandle] = field(default_factory=dict[Key, asyncio.TimerHandle])
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, key: Key) -> None:
        self.waiting[key] = None
        self.wake.set()

    def add_later(self, key: Key, seconds: float) -> None:
        if key in self.later:
            self.later[key].cancel()
        self.later[key] = asyncio.get_running_loop().call_later(seconds, self.add, key)

    async def take(self) -> Key:
        while not self.waiting:
            self.wake.clear()
            await self.wake.wait()
        key = next(iter(self.waiting))
        del self.waiting[key]
        return key

    def stop(self) -> None:
        for timer in self.later.values():
            timer.cancel()


async def run(cluster: Cluster, controller: Controller) -> None:
    """Keep one controller going, for ever."""
    work = _Work()
    try:
        async with asyncio.TaskGroup() as group:
            for resource, keys in controller.watches.items():
                group.create_task(_feed(cluster, resource, keys, work))
            while True:
                await _step(controller, work, await work.take())
                # Others get their turn even where reconciling never waits.
                await asyncio.sleep(0)
    finally:
        work.stop()


async def _feed(
    cluster: Cluster, resource: str, keys: Callable[[Change], Iterable[Key]], work: _Work
) -> None:
    async for change in cluster.watch(resource):
        try:
            woken = tuple(keys(change))
        except Exception:
            # One object that cannot be read must not stop all controllers.
            logger.exception("%s %s/%s wakes nobody", resource, *key_of(change.object))
            continue
        for key in woken:
            work.add(key)


async def _step(controller: Controller, work: _Work, key: Key) -> None:
    try:
        again = await controller.reconcile(key)
    except Exception:
        logger.exception("%s: %s/%s failed, trying again", controller.name, *key)
        again = _AGAIN_AFTER_ERROR
    if again is not None:
        work.add_later(key, again)
