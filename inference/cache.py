"""The prefix cache: pages of prompt already computed, in RAM and as files on the SSD.

A page is named by the hash of all tokens up to its end, so equal beginnings share their files.
"""

import asyncio
import hashlib
import logging
import os
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from inference.ssd import Ssd, SsdUnavailableError, outcome_of

log = logging.getLogger("inference.cache")

Page = list[tuple[Any, Any]]


class Codec(Protocol):
    """Pages to bytes and back; decode raises on what was not written so."""

    def encode(self, page: Page) -> bytes:
        """The bytes of one file."""
        ...

    def decode(self, data: bytes) -> Page:
        """The page in them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the RAM half holds."""

    pages: int
    bytes: int


class PrefixCache:
    """Looked up on the event loop, filled from the decode thread, stored by the SSD's thread."""

    def __init__(
        self, *, ssd: Ssd | None, page_tokens: int, ram_bytes: int, read_timeout: float
    ) -> None:
        self._ssd = ssd
        self._page_tokens = page_tokens
        self._ram_bytes = ram_bytes
        self._read_timeout = read_timeout
        self._codec: Codec | None = None
        self._digest = ""
        self._lock = threading.Lock()
        self._ram: OrderedDict[str, tuple[Page, int]] = OrderedDict()
        self._held = 0
        self._squeezed = False
        self._recent: deque[bool] = deque(maxlen=1000)
        self.asked = self.found = 0
        """Tokens of prompts that were looked for, and of them those that were there."""

    @property
    def folder(self) -> Path | None:
        """Where the files lie."""
        return None if self._ssd is None else self._ssd.root / "cache"

    def attach(self, codec: Codec, digest: str) -> None:
        """Begin, once a model is there to make pages and to name them."""
        if digest != self._digest:
            self.detach()
        self._codec, self._digest = codec, digest
        if self._ssd is not None:
            self._ssd.write(self._prepare).add_done_callback(outcome_of)

    def detach(self) -> None:
        """Forget what RAM holds: its model is gone."""
        self._digest = ""
        with self._lock:
            self._ram.clear()
            self._held = 0

    async def find(self, prompt: list[int], *, digest: str) -> list[Page]:
        """The cached beginning of this prompt for this model, always short of its last token."""
        keys = self._keys(prompt[:-1], digest)
        if self._codec is None or not keys or digest != self._digest:
            return []
        pages = self._find_in_ram(keys)
        if len(pages) < len(keys) and self._ssd is not None and self._ssd.usable:
            pages += await self._find_on_ssd(self._ssd, self._codec, keys[len(pages) :])
        self._recent.append(bool(pages))
        self.asked += len(keys) * self._page_tokens
        self.found += len(pages) * self._page_tokens
        return pages

    def keep(self, prompt: list[int], page_at: Callable[[int], Page], *, digest: str) -> None:
        """Remember the pages of a prefilled prompt. Called by the decode thread: never waits.

        Pages of a model that is not the present one any more are dropped.
        """
        if digest != self._digest:
            return
        for number, key in enumerate(self._keys(prompt, digest)):
            with self._lock:
                known = key in self._ram
            if known:
                continue
            page = page_at(number)
            self._put(key, page)
            if self._ssd is not None and self._codec is not None:
                self._ssd.write(_writing(self._ssd.root / "cache", key, self._codec, page))\
                    .add_done_callback(outcome_of)  # fmt: skip

    def squeeze(self, *, on: bool) -> None:
        """Under memory pressure keep a quarter of what RAM may hold."""
        self._squeezed = on
        with self._lock:
            self._trim()

    def hit_rate(self) -> float:
        """Share of recent prompts that found a beginning."""
        recent = tuple(self._recent)
        return sum(recent) / len(recent) if recent else 0.0

    def stored(self) -> Stored:
        """What RAM holds now."""
        return Stored(pages=len(self._ram), bytes=self._held)

    def _keys(self, tokens: list[int], model: str) -> list[str]:
        digest = hashlib.sha256(f"{model} {self._page_tokens}".encode())
        keys: list[str] = []
        for end in range(self._page_tokens, len(tokens) + 1, self._page_tokens):
            page = tokens[end - self._page_tokens : end]
            digest.update(b"".join(token.to_bytes(4, "little") for token in page))
            keys.append(digest.hexdigest())
        return keys

    def _find_in_ram(self, keys: list[str]) -> list[Page]:
        pages: list[Page] = []
        with self._lock:
            for key in keys:
                if key not in self._ram:
                    break
                self._ram.move_to_end(key)
                pages.append(self._ram[key][0])
        return pages

    async def _find_on_ssd(self, ssd: Ssd, codec: Codec, keys: list[str]) -> list[Page]:
        folder = ssd.root / "cache"
        future: Future[list[Page]] = ssd.read(lambda: _read(folder, codec, keys))
        try:
            async with asyncio.timeout(self._read_timeout):
                pages = await asyncio.wrap_future(future)
        except (OSError, SsdUnavailableError, CorruptFileError, TimeoutError):
            return []
        for key, page in zip(keys, pages, strict=False):
            self._put(key, page)
        return pages

    def _put(self, key: str, page: Page) -> None:
        size = sum(int(k.nbytes) + int(v.nbytes) for k, v in page)
        with self._lock:
            if key not in self._ram:
                self._ram[key] = (page, size)
                self._held += size
                self._trim()

    def _trim(self) -> None:
        limit = self._ram_bytes // 4 if self._squeezed else self._ram_bytes
        while self._held > limit and self._ram:
            _, (_, size) = self._ram.popitem(last=False)
            self._held -= size

    def _prepare(self) -> None:
        """Make the folder and drop what a killed process left half written."""
        folder = self.folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            for left in folder.glob(".tmp-*"):
                left.unlink(missing_ok=True)


class CorruptFileError(Exception):
    """A cache file was not what had been written; it is gone now."""


def _writing(folder: Path, key: str, codec: Codec, page: Page) -> Any:
    return lambda: _write(folder, key, codec, page)


def _write(folder: Path, key: str, codec: Codec, page: Page) -> int:
    """Bytes written; none where the page is there already."""
    target = folder / f"{key}.safetensors"
    if target.exists():
        return 0
    temporary = folder / f".tmp-{os.getpid()}-{key[:16]}"
    folder.mkdir(exist_ok=True)
    try:
        written = temporary.write_bytes(codec.encode(page))
        temporary.replace(target)
        return written
    finally:
        temporary.unlink(missing_ok=True)


def _read(folder: Path, codec: Codec, keys: list[str]) -> list[Page]:
    pages: list[Page] = []
    for key in keys:
        path = folder / f"{key}.safetensors"
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            break
        try:
            pages.append(codec.decode(data))
        except Exception as error:
            path.unlink(missing_ok=True)
            msg = f"{path.name}: {error}"
            raise CorruptFileError(msg) from error
        # Used is young: eviction by age must not take what is in use.
        os.utime(path)
    return pages
