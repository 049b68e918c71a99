"""Which model is served: the first one, its successors, and none.

Every model has an engine and a thread of its own. A successor takes over only once it is loaded,
proved and has sung as the canary of its seal; until then, and if it never does, the old one serves.
"""

import asyncio
import ctypes
import gc
import logging
import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from inference.cache import PrefixCache
from inference.engine import Decoder, Deliveries, Engine, Progress, State
from inference.generation import Generator
from inference.integrity import Integrity, Proof, UnsoundError, demand_unchanged, prove
from inference.serving import Serving
from inference.settings import Settings
from inference.verify import Fault, Reason

log = logging.getLogger("inference.models")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_RETIRE_SECONDS = 600.0


class UnknownModelError(Exception):
    """No such model, or a name that could be none."""


class BusyError(Exception):
    """Another load is under way, or what is asked does not fit what is served."""


class LoadFailedError(Exception):
    """The model could not be loaded; what served before serves on."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Held:
    name: str
    folder: Path
    engine: Engine
    outcome: asyncio.Future[None]
    model: Any = field(default=None)
    proof: Proof | None = field(default=None)
    unsound: UnsoundError | None = field(default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a load came to."""

    name: str
    seconds: float
    replaced: str | None


class Models:
    """The model that is served now. Event loop only, but for what says otherwise."""

    def __init__(
        self,
        *,
        settings: Settings,
        cache: PrefixCache,
        integrity: Integrity,
        deliver: Callable[[Deliveries], None],
        share: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._cache = cache
        self.integrity = integrity
        self._deliver = deliver
        self._share = share
        self._share_loaded = share()
        self._loop = asyncio.get_running_loop()
        self._opening: _Held | None = None
        self._retiring: list[_Held] = []
        self._ended: list[Progress] = []
        self._unloaded = False
        self._group: asyncio.TaskGroup | None = None
        self._current = self._open(settings.served_name, settings.model)
        self._first = self._current
        self._served = asyncio.Event()
        self.serving: Serving | None = None

    @property
    def engine(self) -> Engine:
        """The engine of the present model."""
        return self._current.engine

    @property
    def name(self) -> str:
        """The present model's name, loaded or not."""
        return self._current.name

    @property
    def opening(self) -> str | None:
        """The model that is being loaded."""
        return None if self._opening is None else self._opening.name

    async def run(self) -> None:
        """Load the first model and do what is asked later, until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            self.begin_with(self._current)
            await asyncio.Event().wait()

    async def ready(self) -> None:
        """Wait until something is served; LoadFailedError when the first model cannot be read.

        A model that was refused may still be restored: that is waited for.
        """
        try:
            await asyncio.shield(self._first.outcome)
        except LoadFailedError:
            if self._first.unsound is None:
                raise
        await self._served.wait()

    def stop(self, timeout: float) -> None:
        """End every engine. For a thread: it waits."""
        for held in self._all():
            held.engine.stop(timeout)

    def progress(self) -> Progress:
        """All engines as one; readable from any thread."""
        now = self._current.engine.progress()
        others = [held.engine.progress() for held in self._retiring]
        every = [now, *others, *self._ended]
        working = [each.idle_seconds for each in (now, *others) if each.running]
        return replace(
            now,
            state=State.UNLOADED if self._unloaded else now.state,
            failure="unloaded by request" if self._unloaded else now.failure,
            running=now.running + sum(each.running for each in others),
            cached=now.cached + sum(each.cached for each in others),
            steps=sum(each.steps for each in every),
            tokens=sum(each.tokens for each in every),
            restarts=sum(each.restarts for each in every),
            idle_seconds=max(working, default=now.idle_seconds),
        )

    def load(self, name: str) -> asyncio.Future[Loaded]:
        """Begin to load a model; the one that serves goes on until the new one has proved sound."""
        folder = self._folder(name)
        self._demand_free()
        return self.begin_with(self._open(name, folder))

    def unload(self, name: str) -> int:
        """Serve nothing any more; what has begun is finished. How many requests that is."""
        if name != self._current.name or self.serving is None:
            msg = f"model {name!r} is not loaded"
            raise UnknownModelError(msg)
        self._demand_free()
        users = self.serving.users
        self._retire(self._current, self.serving)
        self._unloaded, self.serving = True, None
        self._cache.detach()
        log.warning("Model unloaded", extra={"event": "model_unloaded", "model": name})
        return users

    def follow(self) -> None:
        """Load the present model again when its share of the GPUs has changed, beside the old one.

        It fits or it is refused, and then the old one serves on. Without a GPU nothing changes.
        """
        current = self._current.model
        if self._share() == self._share_loaded or self._opening is not None or current is None:
            return
        if self.serving is None or not current.device.startswith("cuda"):
            return
        self._share_loaded = self._share()
        self.begin_with(self._open(self._current.name, self._current.folder))

    async def review(self) -> None:
        """Watch the files; a refused model is tried again as soon as they change."""
        if self._opening is not None:
            return
        refused = self._current.engine.progress().state is State.REFUSED
        if not refused or self._unloaded:
            await self.integrity.review()
        elif await self.integrity.changed():
            with suppress(LoadFailedError):
                await self.begin_with(self._open(self._current.name, self._current.folder))

    def begin_with(self, held: _Held) -> asyncio.Future[Loaded]:
        """Load it in its own thread; the answer comes when it serves or has failed."""
        if self._group is None:
            msg = "the server is not running"
            raise BusyError(msg)
        self._opening = held
        result: asyncio.Future[Loaded] = self._loop.create_future()
        result.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._group.create_task(self._bring(held, result))
        return result

    async def _bring(self, held: _Held, result: asyncio.Future[Loaded]) -> None:
        started = time.monotonic()
        held.engine.start()
        try:
            await held.outcome
            replaced = self._take(held)
        except LoadFailedError as error:
            self._keep(held)
            result.set_exception(error)
        else:
            seconds = round(time.monotonic() - started, 3)
            told = {"event": "model_serving", "model": held.name, "seconds": seconds}
            log.info("Model serves", extra=told)
            result.set_result(Loaded(name=held.name, seconds=seconds, replaced=replaced))
        finally:
            self._opening = None

    def _take(self, held: _Held) -> str | None:
        """From here on it is this one; what the old one has begun it finishes."""
        old, before = self._current, self.serving
        model = held.model
        self._cache.attach(model.codec, model.digest)
        generator = Generator(
            engine=held.engine, cache=self._cache, tokenizer=model.tokenizer, digest=model.digest
        )
        self.serving = Serving(
            name=held.name,
            generator=generator,
            tokenizer=model.tokenizer,
            context=model.context,
            budget=min(self._settings.max_request_tokens or model.context, model.context),
            vocabulary=model.vocabulary,
        )
        self._current, self._unloaded = held, False
        self._served.set()
        if held.proof is not None:
            self.integrity.follow(held.folder, held.proof)
        if old is not held and old not in self._retiring:
            if before is None:
                self._ended.append(old.engine.progress())
            else:
                self._retire(old, before)
        return None if before is None else old.name

    def _keep(self, held: _Held) -> None:
        """It failed: what serves goes on; where nothing serves, the failure is the state."""
        if self.serving is not None:
            told = {"event": "model_rolled_back", "model": held.name, "serving": self._current.name}
            log.error("Model not taken; the old one serves on", extra=told)
            if held.unsound is not None:
                self.integrity.tell(held.unsound)
            return
        if held is not self._current and self._current not in self._retiring:
            self._ended.append(self._current.engine.progress())
        self._current, self._unloaded = held, False
        if held.unsound is not None:
            self.integrity.refuse(held.folder, held.unsound)

    def _retire(self, held: _Held, serving: Serving) -> None:
        self._retiring.append(held)
        if self._group is not None:
            self._group.create_task(self._end(held, serving))

    async def _end(self, held: _Held, serving: Serving) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_RETIRE_SECONDS):
                await serving.unused.wait()
        await asyncio.to_thread(held.engine.stop, 5.0)
        self._retiring.remove(held)
        if held is not self._current:
            self._ended.append(held.engine.progress())
        held.model = None
        await asyncio.to_thread(_free_memory)

    def _demand_free(self) -> None:
        if self._opening is not None:
            msg = f"model {self._opening.name!r} is being loaded: try again when that is done"
            raise BusyError(msg)

    def _folder(self, name: str) -> Path:
        """The folder of a model; no name leads out of the folder of models."""
        if name == self._settings.served_name:
            return self._settings.model
        root = (self._settings.models_dir or self._settings.model.resolve().parent).resolve()
        if not _NAME.fullmatch(name):
            msg = f"{name!r} is no model name: letters, digits, '.', '_' and '-' are"
            raise UnknownModelError(msg)
        folder = (root / name).resolve()
        if folder.parent != root or not (folder / "config.json").is_file():
            msg = f"there is no model {name!r} here"
            raise UnknownModelError(msg)
        return folder

    def _open(self, name: str, folder: Path) -> _Held:
        engine = Engine(
            load=lambda: self._read(held),
            deliver=self._deliver,
            loaded=lambda: self._tell(held),
            step_floor=self._settings.step_floor,
        )
        outcome: asyncio.Future[None] = self._loop.create_future()
        outcome.add_done_callback(lambda done: done.cancelled() or done.exception())
        held = _Held(name=name, folder=folder, engine=engine, outcome=outcome)
        return held

    def _read(self, held: _Held) -> Decoder:
        """On the new decode thread: torch and transformers are imported here, not at the start."""
        try:
            return self._read_proved(held)
        except UnsoundError as error:
            held.unsound, held.model = error, None
            raise

    def _read_proved(self, held: _Held) -> Decoder:
        proof = prove(held.folder)
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        from inference import canary, model
        from inference.plan import plan, room_here

        settings = self._settings
        digest = model.digest(held.folder) if proof.manifest is None else proof.manifest.digest
        self._share_loaded = self._share()
        held.model = model.load(
            plan(held.folder, room_here(self._share_loaded), offload=settings.offload_dir),
            digest=digest,
            threads=settings.torch_threads,
            chunk=settings.prefill_chunk,
            page_tokens=settings.cache_page_tokens,
            keep=lambda sequence, pages: self._cache.keep(sequence.prompt, pages, digest=digest),
        )
        demand_unchanged(held.folder, proof)
        try:
            canary.judge(
                held.model.network, None if proof.manifest is None else proof.manifest.canary
            )
        except canary.CanaryError as error:
            fault = Fault(file="", reason=Reason.CANARY, text=str(error))
            raise UnsoundError([fault], proof.seen) from error
        held.proof = proof
        return cast("Decoder", held.model.decoder)

    def _tell(self, held: _Held) -> None:
        """From the decode thread."""
        with suppress(RuntimeError):  # the loop is gone: nobody is left to tell
            self._loop.call_soon_threadsafe(_settle, held)

    def _all(self) -> list[_Held]:
        opening = [] if self._opening is None else [self._opening]
        return list(
            {id(held): held for held in (self._current, *self._retiring, *opening)}.values()
        )


def _settle(held: _Held) -> None:
    if held.outcome.done():
        return
    progress = held.engine.progress()
    if progress.state is State.READY:
        held.outcome.set_result(None)
    else:
        held.outcome.set_exception(LoadFailedError(progress.failure))


def _free_memory() -> None:
    """Give back what the model held, to the system too where the C library can."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
