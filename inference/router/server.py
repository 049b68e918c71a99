"""Puts the parts of a router together, and runs one as a process."""

import asyncio
import logging
import signal
from collections.abc import AsyncGenerator, Callable

import aiohttp
from aiohttp import web
from prometheus_client import disable_created_metrics

from inference.router import api
from inference.router.api import PARTS, Parts
from inference.router.choice import Chooser
from inference.router.classifier import Classifier, Model
from inference.router.forward import Forwarder
from inference.router.health import Health
from inference.router.metrics import Metrics
from inference.router.minilm import MiniLm, folder_of
from inference.router.probe import Prober
from inference.router.settings import Experts, RouterSettings

log = logging.getLogger("inference.router")


def application(
    settings: RouterSettings, experts: Experts, *, load: Callable[[], Model] | None = None
) -> web.Application:
    """The HTTP side; its life is the router's life. `load` makes another classifier."""
    app = web.Application(middlewares=[api.errors], client_max_size=settings.max_body_bytes)
    app.add_routes(api.routes)

    async def alive(app: web.Application) -> AsyncGenerator[None]:
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=settings.connect_timeout, sock_read=settings.silence_timeout
        )
        async with aiohttp.ClientSession(timeout=timeout) as session:
            prober = Prober(
                experts.experts, seconds=settings.probe_seconds, timeout=settings.probe_timeout
            )
            classifier = Classifier(
                load=load or (lambda: _minilm(settings)),
                experts=experts.experts,
                retry_seconds=settings.classifier_retry_seconds,
            )
            app[PARTS] = _assemble(settings, experts, prober, classifier, session)
            # Setup and cleanup may run in different tasks: no TaskGroup across the yield.
            background = asyncio.ensure_future(_background(prober, classifier, session))
            background.add_done_callback(_tell_end)
            yield
            background.cancel()
            await asyncio.wait({background})
            classifier.close()

    app.cleanup_ctx.append(alive)
    return app


def _minilm(settings: RouterSettings) -> Model:
    model = MiniLm(folder_of(settings.classifier), threads=settings.torch_threads)
    model.prove()
    return model


def _assemble(
    settings: RouterSettings,
    experts: Experts,
    prober: Prober,
    classifier: Classifier,
    session: aiohttp.ClientSession,
) -> Parts:
    watched = prober.watched
    metrics = Metrics(list(watched))
    health = Health(classifier=classifier, watched=watched, fallback=experts.fallback)
    parts = Parts(
        experts=experts,
        watched=watched,
        classifier=classifier,
        chooser=Chooser(
            experts=experts, classifier=classifier, watched=watched,
            timeout=settings.classify_timeout,
        ),
        forwarder=Forwarder(
            session=session, watched=watched, fallback=experts.fallback, metrics=metrics
        ),
        health=health,
        metrics=metrics,
    )  # fmt: skip
    metrics.gauges(
        "health_check_status",
        "0 healthy, 1 degraded, 2 unhealthy, 3 critical",
        "component",
        {name: _reader(health, name) for name in health.components()},
    )
    return parts


def _reader(health: Health, name: str) -> Callable[[], float]:
    return lambda: health.components()[name].status.value


async def _background(
    prober: Prober, classifier: Classifier, session: aiohttp.ClientSession
) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(prober.run(session))
        group.create_task(classifier.run())


def _tell_end(background: asyncio.Future[None]) -> None:
    if not background.cancelled() and (error := background.exception()) is not None:
        log.critical("Background work died", exc_info=error, extra={"event": "background_died"})


async def run(settings: RouterSettings, experts: Experts) -> int:
    """Route until told to stop; the exit code."""
    runner = web.AppRunner(
        application(settings, experts), handler_cancellation=True, access_log=None
    )
    await runner.setup()
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    try:
        site = web.TCPSite(
            runner, settings.host, settings.port, shutdown_timeout=settings.drain_timeout
        )
        await site.start()
        log.info("Listening", extra={"event": "listening", "port": runner.addresses[0][1]})
        await stop.wait()
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        log.critical("Cannot listen on %s: %s", where, error, extra={"event": "listen_failed"})
        return 1
    finally:
        await runner.cleanup()
    log.info("Stopped", extra={"event": "stopped"})
    return 0


def main(settings: RouterSettings, experts: Experts) -> int:
    """Run in this process until it is told to stop; the exit code."""
    # When a counter began is of no use to anyone here and doubles the page.
    disable_created_metrics()  # type: ignore[no-untyped-call] # the library leaves it untyped
    return asyncio.run(run(settings, experts))
