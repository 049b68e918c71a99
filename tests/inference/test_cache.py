"""The prefix cache: found in RAM and on the SSD, and what a bad file or a full disk does to it."""

import asyncio
import errno
import os
import threading
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from inference.breaker import Breaker, Circuit
from inference.cache import Page, PrefixCache
from inference.ssd import Ssd


@dataclass(frozen=True)
class Numbers:
    """Stands for a tensor."""

    text: str

    @property
    def nbytes(self) -> int:
        return len(self.text)


@dataclass
class TextCodec:
    """Pages as text; nothing can be written while the disk is full."""

    full: bool = False

    def encode(self, page: Page) -> bytes:
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return str(page[0][0].text).encode()

    def decode(self, data: bytes) -> Page:
        if data.startswith(b"\0"):
            msg = "garbled"
            raise ValueError(msg)
        return _page(data.decode())


def _page(text: str) -> Page:
    return [(Numbers(text), Numbers(text))]


class Bench:
    """A cache on a folder; a second one on the same folder is a restarted server."""

    def __init__(self, root: Path) -> None:
        self.now = 0.0
        self.failures: list[Exception] = []
        self.breaker = Breaker(failures=3, retry_seconds=30, slow_seconds=5, clock=lambda: self.now)
        self.ssd = Ssd(root, breaker=self.breaker, failed=self.failures.append)
        self.cache = PrefixCache(ssd=self.ssd, page_tokens=4, ram_bytes=100, read_timeout=5)
        self.codec = TextCodec()
        self.cache.attach(self.codec, "model-a")

    async def settled(self) -> None:
        """Everything handed to the I/O thread so far is done."""
        await asyncio.wrap_future(self.ssd.direct(int))

    def files(self) -> list[Path]:
        return sorted((self.ssd.root / "cache").glob("*.safetensors"))


@pytest.fixture
def benches() -> Generator[list[Bench]]:
    made: list[Bench] = []
    yield made
    for bench in made:
        bench.ssd.close(5)


PROMPT = [1, 2, 3, 4, 5, 6, 7, 8, 9]


async def _filled(root: Path, benches: list[Bench]) -> Bench:
    benches.append(Bench(root))
    benches[-1].cache.keep(PROMPT, [_page("one"), _page("two")].__getitem__, digest="model-a")
    await benches[-1].settled()
    return benches[-1]


async def test_a_beginning_is_found_in_ram_and_after_a_restart_on_the_ssd(
    tmp_path: Path, benches: list[Bench]
) -> None:
    bench = await _filled(tmp_path, benches)
    assert await bench.cache.find([*PROMPT, 10], digest="model-a") == [_page("one"), _page("two")]
    assert await bench.cache.find([1, 2, 3, 4, 0, 0, 0, 0, 0], digest="model-a") == [_page("one")]
    assert await bench.cache.find([0, *PROMPT], digest="model-a") == []
    assert bench.cache.hit_rate() == pytest.approx(2 / 3)
    benches.append(Bench(tmp_path))
    assert await benches[-1].cache.find(PROMPT, digest="model-a") == [_page("one"), _page("two")]


async def test_the_last_token_is_always_left_to_compute(
    tmp_path: Path, benches: list[Bench]
) -> None:
    bench = await _filled(tmp_path, benches)
    assert await bench.cache.find(PROMPT[:8], digest="model-a") == [_page("one")]


async def test_pages_of_another_model_are_not_found(tmp_path: Path, benches: list[Bench]) -> None:
    await _filled(tmp_path, benches)
    benches.append(Bench(tmp_path))
    benches[-1].cache.attach(TextCodec(), "model-b")
    assert await benches[-1].cache.find(PROMPT, digest="model-b") == []
    benches[-1].cache.keep(PROMPT, [_page("one"), _page("two")].__getitem__, digest="model-a")
    assert await benches[-1].cache.find(PROMPT, digest="model-a") == []
    assert benches[-1].cache.stored().pages == 0


async def test_a_corrupt_file_is_a_miss_a_failure_and_gone(
    tmp_path: Path, benches: list[Bench]
) -> None:
    bench = await _filled(tmp_path, benches)
    for path in bench.files():
        path.write_bytes(b"\0")
    benches.append(Bench(tmp_path))
    again = benches[-1]
    assert await again.cache.find(PROMPT, digest="model-a") == []
    assert len(again.failures) == 1
    assert again.breaker.status().failures == 1
    assert len(again.files()) == 1


async def test_corrupt_files_open_the_circuit_though_each_is_looked_for_again_when_it_is_gone(
    tmp_path: Path, benches: list[Bench]
) -> None:
    bench = await _filled(tmp_path, benches)
    prompts = [[number] * 5 for number in range(20, 23)]
    for prompt in prompts:
        bench.cache.keep(prompt, [_page("x")].__getitem__, digest="model-a")
    await bench.settled()
    for path in bench.files():
        path.write_bytes(b"\0")
    benches.append(Bench(tmp_path))
    again = benches[-1]
    for prompt in prompts:
        assert again.breaker.status().state is Circuit.CLOSED
        assert await again.cache.find(prompt, digest="model-a") == []
        assert await again.cache.find(prompt, digest="model-a") == []
        if prompt is not prompts[-1]:  # computed anew it is written again, which goes well
            again.cache.keep(prompt, [_page("x")].__getitem__, digest="model-a")
            await again.settled()
    assert again.breaker.status().state is Circuit.OPEN
    assert "garbled" in again.breaker.status().last_error


async def test_a_page_that_is_there_already_does_not_close_the_circuit_of_a_full_disk(
    tmp_path: Path, benches: list[Bench]
) -> None:
    bench = await _filled(tmp_path, benches)
    bench.cache.detach()
    bench.cache.attach(bench.codec, "model-a")
    bench.breaker.trip("No space left on device")
    bench.now += 60
    bench.cache.keep(PROMPT[:4], [_page("one")].__getitem__, digest="model-a")
    await bench.settled()
    assert bench.breaker.status().state is Circuit.HALF_OPEN
    bench.cache.keep([9] * 4, [_page("new")].__getitem__, digest="model-a")
    await bench.settled()
    assert bench.breaker.status().state is Circuit.CLOSED


async def test_an_unusable_folder_opens_the_circuit_and_ram_goes_on(
    tmp_path: Path, benches: list[Bench]
) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    bench = await _filled(tmp_path, benches)
    assert bench.breaker.state is Circuit.OPEN
    assert await bench.cache.find(PROMPT, digest="model-a") == [_page("one"), _page("two")]
    asked = len(bench.failures)
    bench.cache.keep([9] * 8, [_page("x"), _page("y")].__getitem__, digest="model-a")
    await bench.settled()
    assert len(bench.failures) == asked  # an open circuit is not knocked at


async def test_a_disk_that_hangs_opens_the_circuit_and_nobody_waits_for_it(
    tmp_path: Path, benches: list[Bench]
) -> None:
    now = 0.0
    bench = await _filled(tmp_path, benches)
    hung = threading.Event()
    bench.ssd.close(5)
    bench.ssd = Ssd(
        tmp_path, breaker=bench.breaker, failed=bench.failures.append, clock=lambda: now
    )
    waiting = bench.ssd.direct(lambda: hung.wait(10))
    while bench.ssd.stuck_seconds() == 0:
        now += 1
        await asyncio.sleep(0)
    bench.ssd.watch()
    assert bench.breaker.status().state is Circuit.CLOSED
    now += 11
    bench.ssd.watch()
    bench.ssd.watch()
    assert bench.breaker.status().state is Circuit.OPEN
    assert len(bench.failures) == 1
    assert await bench.cache.find([5] * 9, digest="model-a") == []
    hung.set()
    assert await asyncio.wrap_future(waiting)


async def test_a_full_disk_opens_the_circuit_though_reading_from_it_works(
    tmp_path: Path, benches: list[Bench]
) -> None:
    bench = await _filled(tmp_path, benches)
    bench.codec.full = True
    for number in range(20, 24):
        assert await bench.cache.find([number] * 9, digest="model-a") == []
        bench.cache.keep([number] * 4, [_page("x")].__getitem__, digest="model-a")
        await bench.settled()
    status = bench.breaker.status()
    assert status.state is Circuit.OPEN
    assert "No space left on device" in status.last_error


async def test_ram_keeps_the_recent_and_less_of_it_under_pressure(
    tmp_path: Path, benches: list[Bench]
) -> None:
    benches.append(Bench(tmp_path))
    cache = benches[-1].cache
    for number in range(10):
        cache.keep([number] * 4, [_page("x" * 10)].__getitem__, digest="model-a")
    assert cache.stored().bytes == 100
    cache.squeeze(on=True)
    assert cache.stored().bytes == 20
    cache.keep([77] * 4, [_page("y" * 10)].__getitem__, digest="model-a")
    assert cache.stored().bytes == 20


async def test_what_a_killed_process_left_half_written_is_removed(
    tmp_path: Path, benches: list[Bench]
) -> None:
    (tmp_path / "cache").mkdir()
    left = tmp_path / "cache" / ".tmp-1-abc"
    left.write_bytes(b"half")
    benches.append(Bench(tmp_path))
    await benches[-1].settled()
    assert not left.exists()


async def test_the_health_check_writes_and_leaves_nothing_behind(
    tmp_path: Path, benches: list[Bench]
) -> None:
    benches.append(Bench(tmp_path))
    assert await asyncio.wrap_future(benches[-1].ssd.check()) == ""
    assert benches[-1].ssd.space is not None
    assert await asyncio.to_thread(os.listdir, tmp_path) == ["cache"]


async def test_the_health_check_of_a_vanished_volume_says_so(
    tmp_path: Path, benches: list[Bench]
) -> None:
    root = tmp_path / "ssd"
    root.mkdir()
    benches.append(Bench(root))
    await benches[-1].settled()
    (root / "cache").rmdir()
    root.rmdir()
    told = await asyncio.wrap_future(benches[-1].ssd.check())
    assert "No such file or directory" in told
    assert benches[-1].ssd.error_rate() > 0
    assert benches[-1].ssd.space is None
