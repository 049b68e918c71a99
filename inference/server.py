"""Puts the parts of a server together and keeps them going: load, tick, drain, stop."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from concurrent.futures import Future
from contextlib import suppress

from aiohttp import web
from aiohttp.typedefs import Handler

from inference import gauges
from inference.admission import Admission
from inference.api import admin, completion, error, identify, models, repair, status
from inference.breaker import Breaker
from inference.cache import PrefixCache
from inference.engine import Deliveries
from inference.gpu.cuda import devices_in_use
from inference.gpu.metrics import GpuCollector
from inference.gpu.monitor import Monitor
from inference.gpu.nvml import Nvml
from inference.health import Health
from inference.integrity import Integrity
from inference.live import LiveConfig
from inference.metrics import Metrics
from inference.models import Models
from inference.parts import PARTS, Parts
from inference.repair import Repair
from inference.settings import Settings
from inference.share import Gpus, Share, Shared
from inference.spans import NoTracer, Tracer
from inference.ssd import Ssd

log = logging.getLogger("inference.server")


class Server:
    """One process's server. Build it inside the event loop it shall run on."""

    def __init__(
        self, settings: Settings, *, tracer: Tracer | None = None, shared: Shared | None = None
    ) -> None:
        self._settings = settings
        self._shared = shared or Gpus()
        self._tracer = tracer or NoTracer()
        self._loop = asyncio.get_running_loop()
        self.parts = self._assemble()

    def _assemble(self) -> Parts:
        settings = self._settings
        metrics = Metrics()
        live = LiveConfig(
            max_num_seqs=settings.max_num_seqs,
            gpu_memory_utilization=settings.gpu_memory_utilization,
            path=settings.config,
        )
        admission = Admission(
            limit=lambda: min(settings.max_active, live.max_num_seqs),
            fits=self._fits,
            max_queued=settings.max_queued,
            age_seconds=settings.priority_age_seconds,
            overload_status=settings.overload_status,
        )
        ssd = self._ssd(metrics)
        cache = PrefixCache(
            ssd=ssd,
            page_tokens=settings.cache_page_tokens,
            ram_bytes=int(settings.cache_ram_mb * 1e6),
            read_timeout=settings.cache_read_timeout,
        )
        integrity = Integrity(
            sweep_seconds=settings.integrity_sweep_seconds, failed=metrics.unsound
        )
        share = Share(
            now=lambda: live.gpu_memory_utilization,
            hold=lambda: admission.held(settings.drain_timeout),
            memory=self._shared,
        )
        served = Models(
            settings=settings, cache=cache, integrity=integrity, deliver=self._deliver, share=share
        )
        gpus = Monitor(Nvml(), seconds=settings.gpu_seconds, used=devices_in_use)
        health = Health(
            settings=settings, models=served, admission=admission, ssd=ssd, cache=cache, gpus=gpus
        )  # fmt: skip
        parts = Parts(
            settings=settings, live=live, metrics=metrics, models=served, admission=admission,
            ssd=ssd, cache=cache, health=health, gpus=gpus,
            repair=Repair(folder=settings.model, backup=settings.backup), tracer=self._tracer,
        )  # fmt: skip
        gauges.register(parts)
        metrics.registry.register(GpuCollector(gpus))
        return parts

    def _ssd(self, metrics: Metrics) -> Ssd | None:
        settings = self._settings
        if settings.ssd_dir is None:
            return None
        breaker = Breaker(
            failures=settings.breaker_failures,
            retry_seconds=settings.breaker_retry_seconds,
            slow_seconds=settings.breaker_slow_seconds,
        )
        return Ssd(settings.ssd_dir, breaker=breaker, failed=lambda _: metrics.error("ssd"))

    def application(self) -> web.Application:
        """The HTTP side; its life is the server's life."""
        app = web.Application(
            middlewares=[identify.identified, _timed, error.errors, admin.guarded],
            client_max_size=self._settings.max_body_bytes,
        )
        app[PARTS] = self.parts
        for module in (completion, models, status, admin, repair):
            app.add_routes(module.routes)
        app.on_response_prepare.append(identify.named)
        app.cleanup_ctx.append(self._alive)
        return app

    async def ready(self) -> None:
        """Wait until a model is served; LoadFailedError when the first one cannot be read."""
        await self.parts.models.ready()

    async def drain(self) -> bool:
        """Take nothing new and wait, with a bound, until nothing runs."""
        self.parts.admission.draining = True
        return await self.parts.admission.drained(self._settings.drain_timeout)

    async def _alive(self, app: web.Application) -> AsyncGenerator[None]:
        del app
        # Setup and cleanup may run in different tasks, which a TaskGroup across the yield forbids.
        background = asyncio.ensure_future(self._background())
        background.add_done_callback(_tell_end)
        self.parts.gpus.start()
        yield
        background.cancel()
        await asyncio.wait({background})
        await asyncio.to_thread(self.parts.gpus.stop, 1.0)
        await asyncio.to_thread(self.parts.models.stop, 5.0)
        if self.parts.ssd is not None:
            await asyncio.to_thread(self.parts.ssd.close, 1.0)
        await asyncio.to_thread(self._tracer.close)

    def _fits(self, requests: int, tokens: int) -> bool:
        return self.parts.models.room.takes(requests, tokens)

    def _deliver(self, events: Deliveries) -> None:
        """From the decode thread to the loop, one crossing for a whole step."""
        with suppress(RuntimeError):  # the loop is gone: nobody is left to tell
            self._loop.call_soon_threadsafe(_dispatch, events)

    async def _background(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tick())
            group.create_task(self._check_ssd())
            group.create_task(self.parts.models.run())
            group.create_task(self._watch_model())

    async def _tick(self) -> None:
        """Every second: live settings, degradation, a disk that hangs."""
        parts = self.parts
        while True:
            parts.live.refresh(lambda _: parts.metrics.error("config"))
            parts.admission.admit_waiting()  # the limits may be others, and the model's room
            parts.models.follow()
            if parts.ssd is not None:
                parts.ssd.watch()
            parts.health.review()
            await asyncio.sleep(1.0)

    async def _check_ssd(self) -> None:
        """The truth about the volume without any traffic."""
        ssd = self.parts.ssd
        while ssd is not None:
            future: Future[str] = ssd.check()
            with suppress(Exception):  # told by health and metrics already
                await asyncio.wrap_future(future)
            self.parts.health.review()
            await asyncio.sleep(self._settings.ssd_probe_seconds)

    async def _watch_model(self) -> None:
        """The files of the model, and a refused model that has been restored."""
        while True:
            await asyncio.sleep(self._settings.integrity_seconds)
            await self.parts.models.review()
            self.parts.health.review()


def _tell_end(background: asyncio.Future[None]) -> None:
    if not background.cancelled() and (error := background.exception()) is not None:
        log.critical("Background work died", exc_info=error, extra={"event": "background_died"})


def _dispatch(events: Deliveries) -> None:
    for sequence, event in events:
        sequence.sink(event)


@web.middleware
async def _timed(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Measure what the API answers; probes and scrapes would only blur it."""
    if not request.path.startswith("/v1/"):
        return await handler(request)
    started = time.monotonic()
    resource = request.match_info.route.resource
    endpoint = resource.canonical if resource is not None else "unknown"
    code = "499"  # the client left before an answer
    try:
        response = await handler(request)
        code = str(response.status)
        return response
    finally:
        metrics = request.app[PARTS].metrics
        seconds = time.monotonic() - started
        metrics.duration.labels(endpoint=endpoint, code=code).observe(seconds)
