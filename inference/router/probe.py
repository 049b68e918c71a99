"""Whether each expert can be reached: looked at again and again, each time with a deadline."""

import asyncio
import logging
import time
from dataclasses import dataclass
from enum import StrEnum

import aiohttp

from inference.router.settings import Expert

log = logging.getLogger("inference.router.probe")


class Standing(StrEnum):
    """Of an expert."""

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@dataclass(slots=True, kw_only=True)
class Watched:
    """An expert and what was last seen of it."""

    expert: Expert
    standing: Standing = Standing.UNKNOWN
    message: str = ""
    seconds: float = 0.0
    """How long its last answer took."""
    looked: float | None = None
    """When, by the monotonic clock."""

    def tell(self, standing: Standing, message: str = "") -> None:
        """Take a new standing over, and say so if it is another one."""
        if standing is not self.standing:
            level = logging.ERROR if standing is Standing.UNHEALTHY else logging.INFO
            told = {"event": "expert", "expert": self.expert.name, "status": standing}
            log.log(level, "Expert %s: %s %s", self.expert.name, standing, message, extra=told)
        self.standing, self.message = standing, message


class Prober:
    """Looks at all experts side by side, so that a slow one delays no other."""

    def __init__(self, experts: list[Expert], *, seconds: float, timeout: float) -> None:
        self._seconds = seconds
        self._timeout = timeout
        self.watched = {each.name: Watched(expert=each) for each in experts}
        self.seen = asyncio.Event()
        """Set once every expert has been looked at."""

    async def run(self, session: aiohttp.ClientSession) -> None:
        """For ever."""
        while True:
            async with asyncio.TaskGroup() as group:
                for each in self.watched.values():
                    group.create_task(self._look(session, each))
            self.seen.set()
            await asyncio.sleep(self._seconds)

    async def _look(self, session: aiohttp.ClientSession, watched: Watched) -> None:
        started = time.monotonic()
        url = watched.expert.url + watched.expert.health
        try:
            async with asyncio.timeout(self._timeout), session.get(url) as response:
                await response.read()
                good, message = response.status == 200, f"{url} answered {response.status}"
        except TimeoutError:
            good, message = False, f"{url} did not answer within {self._timeout:g} s"
        except aiohttp.ClientError as error:
            good, message = False, f"{url}: {error}"
        watched.looked = time.monotonic()
        watched.seconds = watched.looked - started
        watched.tell(Standing.HEALTHY if good else Standing.UNHEALTHY, "" if good else message)
