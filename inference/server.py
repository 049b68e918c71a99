"""Puts the parts of a server together and keeps them going: load, tick, drain, stop."""

import asyncio
import logging
import os
import time
from collections.abc import AsyncGenerator
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, cast

from aiohttp import web
from aiohttp.typedefs import Handler

from inference import gauges
from inference.admission import Admission
from inference.api import admin, completion, error, status
from inference.breaker import Breaker
from inference.cache import PrefixCache
from inference.engine import Decoder, Deliveries, Engine, State
from inference.generation import Generator
from inference.health import Health
from inference.live import LiveConfig
from inference.metrics import Metrics
from inference.parts import PARTS, Parts, Serving
from inference.settings import Settings
from inference.ssd import Ssd

log = logging.getLogger("inference.server")


class Server:
    """One process's server. Build it inside the event loop it shall run on."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._loaded: asyncio.Future[None] = self._loop.create_future()
        self._model: Any = None
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
            max_queued=settings.max_queued,
        )
        ssd = self._ssd(metrics)
        cache = PrefixCache(
            ssd=ssd,
            page_tokens=settings.cache_page_tokens,
            ram_bytes=int(settings.cache_ram_mb * 1e6),
            read_timeout=settings.cache_read_timeout,
        )
        engine = Engine(
            load=self._load,
            deliver=self._deliver,
            loaded=self._tell_loaded,
            step_floor=settings.step_floor,
        )
        health = Health(settings=settings, engine=engine, admission=admission, ssd=ssd, cache=cache)
        parts = Parts(
            settings=settings, live=live, metrics=metrics, engine=engine, admission=admission,
            ssd=ssd, cache=cache, health=health,
        )  # fmt: skip
        gauges.register(parts)
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
            middlewares=[_timed, error.errors, admin.guarded],
            client_max_size=self._settings.max_body_bytes,
        )
        app[PARTS] = self.parts
        for module in (completion, status, admin):
            app.add_routes(module.routes)
        app.cleanup_ctx.append(self._alive)
        return app

    async def ready(self) -> None:
        """Wait until the model is loaded; RuntimeError when it cannot be."""
        await asyncio.shield(self._loaded)

    async def drain(self) -> bool:
        """Take nothing new and wait, with a bound, until nothing runs."""
        self.parts.admission.draining = True
        return await self.parts.admission.drained(self._settings.drain_timeout)

    async def _alive(self, app: web.Application) -> AsyncGenerator[None]:
        del app
        self.parts.engine.start()
        # Setup and cleanup may run in different tasks, which a TaskGroup across the yield forbids.
        background = asyncio.ensure_future(self._background())
        background.add_done_callback(_tell_end)
        yield
        background.cancel()
        await asyncio.wait({background})
        await asyncio.to_thread(self.parts.engine.stop, 5.0)
        if self.parts.ssd is not None:
            await asyncio.to_thread(self.parts.ssd.close, 1.0)

    def _load(self) -> Decoder:
        """On the decode thread: torch and transformers are imported here, not at the start."""
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        from inference import model

        settings = self._settings
        self._model = model.load(
            settings.model,
            threads=settings.torch_threads,
            chunk=settings.prefill_chunk,
            page_tokens=settings.cache_page_tokens,
            keep=lambda sequence, pages: self.parts.cache.keep(sequence.prompt, pages),
        )
        return cast("Decoder", self._model.decoder)

    def _tell_loaded(self) -> None:
        with suppress(RuntimeError):  # the loop is gone: nobody is left to tell
            self._loop.call_soon_threadsafe(self._take_loaded)

    def _take_loaded(self) -> None:
        progress = self.parts.engine.progress()
        if progress.state is State.FAILED:
            if not self._loaded.done():
                self._loaded.set_exception(RuntimeError(progress.failure))
                self._loaded.exception()
            return
        model = self._model
        self.parts.cache.attach(model.codec, model.digest)
        self.parts.serving = Serving(
            generator=Generator(
                engine=self.parts.engine, cache=self.parts.cache, tokenizer=model.tokenizer
            ),
            tokenizer=model.tokenizer,
            context=model.context,
            vocabulary=model.vocabulary,
        )
        if not self._loaded.done():
            self._loaded.set_result(None)

    def _deliver(self, events: Deliveries) -> None:
        """From the decode thread to the loop, one crossing for a whole step."""
        with suppress(RuntimeError):  # the loop is gone: nobody is left to tell
            self._loop.call_soon_threadsafe(_dispatch, events)

    async def _background(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tick())
            group.create_task(self._check_ssd())

    async def _tick(self) -> None:
        """Every second: live settings, degradation, a disk that hangs."""
        parts = self.parts
        while True:
            if parts.live.refresh(lambda _: parts.metrics.error("config")):
                parts.admission.admit_waiting()
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
