"""One server as a process: listen, load, serve, and end as a signal or a fault says."""

import asyncio
import logging
import os
import signal
import socket
import time

from aiohttp import web
from prometheus_client import disable_created_metrics

from inference.server import Server
from inference.settings import Settings
from inference.spans import tracer_of

log = logging.getLogger("inference.process")


async def run(settings: Settings) -> int:
    """Serve until told to stop; the exit code."""
    started = time.monotonic()
    try:
        listening = _listen(settings.host, settings.port)
    except OSError as failure:
        where = f"{settings.host}:{settings.port}"
        log.critical("Cannot listen on %s: %s", where, failure, extra={"event": "listen_failed"})
        return 1
    with listening:
        return await _run_on(listening, settings, started)


async def _run_on(listening: socket.socket, settings: Settings, started: float) -> int:
    tracer = tracer_of(os.environ, model=settings.served_name)
    server = Server(settings, tracer=tracer)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    runner = web.AppRunner(server.application(), handler_cancellation=True, access_log=None)
    await runner.setup()
    try:
        await web.SockSite(runner, listening, shutdown_timeout=2).start()
        log.info("Listening", extra={"event": "listening", "port": listening.getsockname()[1]})
        return await _serve_until(stop, server, started)
    finally:
        await runner.cleanup()


async def _serve_until(stop: asyncio.Event, server: Server, started: float) -> int:
    stopping = asyncio.ensure_future(stop.wait())
    loading = asyncio.ensure_future(server.ready())
    await asyncio.wait({stopping, loading}, return_when=asyncio.FIRST_COMPLETED)
    if loading.done() and loading.exception() is not None:
        stopping.cancel()
        return 1
    if loading.done():
        seconds = round(time.monotonic() - started, 3)
        log.info("Ready", extra={"event": "ready", "seconds": seconds})
    loading.cancel()
    await stopping
    log.info("Draining", extra={"event": "draining", "active": server.parts.admission.active})
    finished = await server.drain()
    log.info("Stopped", extra={"event": "stopped", "finished_all": finished})
    return 0


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=512)


def main(settings: Settings) -> int:
    """Run in this process until it is told to stop; the exit code."""
    # When a counter began is of no use to anyone here and doubles the page.
    disable_created_metrics()  # type: ignore[no-untyped-call] # the library leaves it untyped
    return asyncio.run(run(settings))
