"""Which model is served: the first one, its successors, and none.

Every model has an engine and a thread of its own. A successor takes over only once it is loaded,
proved and has sung as the canary of its seal; until then, and if it never does, the old one serves.
Only where there is no room for both does a model take its own place, and who comes waits meanwhile.
"""

import asyncio
import logging
import os
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import cast

from inference.cache import PrefixCache
from inference.engine import Decoder, Deliveries, Engine, Progress, State
from inference.generation import Generator
from inference.held import Held, Loaded, LoadFailedError, free_memory, settle
from inference.integrity import Integrity, UnsoundError, demand_unchanged, prove
from inference.room import Room
from inference.serving import Serving
from inference.settings import Settings
from inference.share import Share, foresee, placed
from inference.verify import Fault, Reason

log = logging.getLogger("inference.models")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_RETIRE_SECONDS = 600.0
_AGAIN_SECONDS = 60.0


class UnknownModelError(Exception):
    """No such model, or a name that could be none."""


class BusyError(Exception):
    """Another load is under way, or what is asked does not fit what is served."""


class Models:
    """The model that is served now. Event loop only, but for what says otherwise."""

    def __init__(
        self,
        *,
        settings: Settings,
        cache: PrefixCache,
        integrity: Integrity,
        deliver: Callable[[Deliveries], None],
        share: Share,
    ) -> None:
        self._settings = settings
        self._cache = cache
        self.integrity = integrity
        self._deliver = deliver
        self._share = share
        self._share_tried = share.now()
        self._following: asyncio.Task[None] | None = None
        self._alone = False
        self._not_before = 0.0
        self._loop = asyncio.get_running_loop()
        self._opening: Held | None = None
        self._retiring: list[Held] = []
        self._ended: list[Progress] = []
        self._unloaded = False
        self._group: asyncio.TaskGroup | None = None
        self._current = self._open(settings.served_name, settings.model)
        self._first = self._current
        self._served = asyncio.Event()
        self.serving: Serving | None = None
        self.room = Room()
        """Of the model that serves, or did last: those who wait for an unloaded one still run."""

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
            state=self._state(now),
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
        """Load the present model again when its share of the GPUs has changed.

        What serves is not given up for what is seen to fail. Without a GPU nothing changes.
        """
        current = self._current.model
        if self._share.now() == self._share_tried or self._busy() or current is None:
            return
        early = self._loop.time() < self._not_before
        if early or self.serving is None or self._group is None:
            return
        if not self._share.memory.holds(current.device):
            return
        self._following = self._group.create_task(self._follow(self.serving))

    async def _follow(self, serving: Serving) -> None:
        before, self._share_tried = self._share_tried, self._share.now()
        name, folder = self._current.name, self._current.folder
        memory, share, offload = self._share.memory, self._share_tried, self._settings.offload_dir
        seen = await asyncio.to_thread(foresee, folder, memory, share, offload=offload)
        if seen.refusal:
            told = {"event": "share_refused", "share": share, "reason": seen.refusal}
            log.error("Model not loaded again: it would fail at this share", extra=told)
            return
        if seen.beside:
            with suppress(LoadFailedError):
                await self.begin_with(self._open(name, folder))
            return
        try:
            async with self._share.hold():
                await self._load_alone(serving, (self._share_tried, before))
        except TimeoutError:
            told = {"event": "model_not_drained", "again_seconds": _AGAIN_SECONDS}
            log.warning("Model not loaded again: what runs takes too long", extra=told)
            self._share_tried, self._not_before = before, self._loop.time() + _AGAIN_SECONDS

    async def _load_alone(self, serving: Serving, shares: Sequence[float]) -> None:
        """The present model in its own place, at the first of these shares at which it fits."""
        old = held = self._current
        self._alone = True
        await asyncio.to_thread(old.engine.stop, 5.0)
        old.model = None
        await asyncio.to_thread(free_memory)
        for share in shares:
            held = self._open(old.name, old.folder, share=share)
            with suppress(LoadFailedError):
                await self.begin_with(held)
                break
        self._alone = False
        if self._current is not held:  # neither: nothing serves now
            self.serving = None
            self._keep(held)
        elif self.serving is not None:
            # Those who wait hold what served before: they go on with what serves now.
            serving.generator = self.serving.generator

    def _busy(self) -> bool:
        following = self._following is not None and not self._following.done()
        return self._opening is not None or following

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

    def begin_with(self, held: Held) -> asyncio.Future[Loaded]:
        """Load it in its own thread; the answer comes when it serves or has failed."""
        if self._group is None:
            msg = "the server is not running"
            raise BusyError(msg)
        self._opening = held
        result: asyncio.Future[Loaded] = self._loop.create_future()
        result.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._group.create_task(self._bring(held, result))
        return result

    async def _bring(self, held: Held, result: asyncio.Future[Loaded]) -> None:
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

    def _take(self, held: Held) -> str | None:
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
        self._current, self._unloaded, self.room = held, False, model.room
        self._served.set()
        if held.proof is not None:
            self.integrity.follow(held.folder, held.proof)
        if old is not held and old not in self._retiring:
            if before is None:
                self._ended.append(old.engine.progress())
            else:
                self._retire(old, before)
        return None if before is None else old.name

    def _keep(self, held: Held) -> None:
        """It failed: what serves goes on; where nothing serves, the failure is the state."""
        if self._alone:
            told = {"event": "share_refused", "model": held.name, "share": held.share}
            log.error("Model cannot be loaded at this share of the GPUs", extra=told)
            return
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

    def _retire(self, held: Held, serving: Serving) -> None:
        self._retiring.append(held)
        if self._group is not None:
            self._group.create_task(self._end(held, serving))

    async def _end(self, held: Held, serving: Serving) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_RETIRE_SECONDS):
                await serving.unused.wait()
        await asyncio.to_thread(held.engine.stop, 5.0)
        self._retiring.remove(held)
        if held is not self._current:
            self._ended.append(held.engine.progress())
        held.model = None
        await asyncio.to_thread(free_memory)

    def _demand_free(self) -> None:
        if self._busy():
            name = self._current.name if self._opening is None else self._opening.name
            msg = f"model {name!r} is being loaded: try again when that is done"
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

    def _open(self, name: str, folder: Path, *, share: float | None = None) -> Held:
        engine = Engine(
            load=lambda: self._read(held),
            deliver=self._deliver,
            loaded=lambda: self._tell(held),
            step_floor=self._settings.step_floor,
        )
        outcome: asyncio.Future[None] = self._loop.create_future()
        outcome.add_done_callback(lambda done: done.cancelled() or done.exception())
        held = Held(name=name, folder=folder, engine=engine, outcome=outcome, share=share)
        return held

    def _read(self, held: Held) -> Decoder:
        """On the new decode thread: torch and transformers are imported here, not at the start."""
        try:
            return self._read_proved(held)
        except UnsoundError as error:
            held.unsound, held.model = error, None
            raise

    def _read_proved(self, held: Held) -> Decoder:
        proof = prove(held.folder)
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        from inference import canary, model

        settings = self._settings
        digest = model.digest(held.folder) if proof.manifest is None else proof.manifest.digest
        if held.share is None:
            self._share_tried = self._share.now()
        share = self._share_tried if held.share is None else held.share
        held.model = model.load(
            placed(held.folder, self._share.memory, share, offload=settings.offload_dir),
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

    def _tell(self, held: Held) -> None:
        """From the decode thread."""
        with suppress(RuntimeError):  # the loop is gone: nobody is left to tell
            self._loop.call_soon_threadsafe(settle, held)

    def _state(self, now: Progress) -> State:
        if self._unloaded:
            return State.UNLOADED
        return State.LOADING if self._alone else now.state

    def _all(self) -> list[Held]:
        opening = [] if self._opening is None else [self._opening]
        return list(
            {id(held): held for held in (self._current, *self._retiring, *opening)}.values()
        )
