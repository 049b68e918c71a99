"""Serving an application on a free port of the loopback address. Nothing else listens here."""

from dataclasses import dataclass

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Door:
    """A server that runs, and where."""

    runner: web.AppRunner
    url: str


async def open_door(app: web.Application, *, port: int = 0) -> Door:
    """Start to serve; port 0 takes a free one."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    found = int(runner.addresses[0][1])
    return Door(runner, f"http://127.0.0.1:{found}")
