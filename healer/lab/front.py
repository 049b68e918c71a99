"""The one way into a server of the lab: opens it, closes it, and lets it have a bad day."""

from collections.abc import Iterable, Sequence

from aiohttp import web
from aiohttp.typedefs import Middleware

from healer.lab.outage import Mode, Outage
from healer.lab.port import Door, open_door


class Front:
    """Stands before the handlers of one server. `largest` is the longest body it takes, in bytes.

    `middlewares` see every request, also those that are to fail.
    """

    def __init__(
        self,
        routes: Sequence[web.RouteDef],
        *,
        port: int,
        largest: int,
        middlewares: Iterable[Middleware] = (),
    ) -> None:
        self._routes, self._port, self._largest = routes, port, largest
        self._outage = Outage()
        self._middlewares = [*middlewares, self._outage.middleware]
        self._door: Door | None = None

    async def open(self) -> None:
        """Serve from now on."""
        app = web.Application(middlewares=self._middlewares, client_max_size=self._largest)
        app.router.add_routes(self._routes)
        self._door = await open_door(app, port=self._port)

    async def close(self) -> None:
        """Serve no more, and let go of those that hang."""
        self._outage.end()
        if self._door is not None:
            await self._door.runner.cleanup()

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        if self._door is None:
            message = "the server has not been started"
            raise RuntimeError(message)
        return self._door.url

    def fail(self, mode: Mode, times: int = 1, *, path: str = "") -> None:
        """Let the next requests fail: a status, "hang", "garbage", "reset" or "reset-after"."""
        self._outage.fail(mode, times, path=path)
