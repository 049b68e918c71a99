"""A server on a device: its memory is that of the sequences that run."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from healer.lab.gpu.build import build
from tests.inference.running import Start

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[3]
MANY, FEW = 16, 2
PROMPT, TOKENS = 1200, 800
SEQUENCE = PROMPT * 2048
"""Bytes of keys and values of one prompt of the tiny model, in float32."""


class Server:
    """A process on a stand-in for a GPU."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def used(self) -> float:
        """Bytes, as the alert rules read them."""
        return await self._metric("DCGM_FI_DEV_FB_USED{") * 2**20

    async def idle(self) -> float:
        """Bytes that are in use when nothing runs and no more is given back."""
        while await self._metric("vllm:num_requests_running"):  # noqa: ASYNC110 - as below
            await asyncio.sleep(0.1)
        before, now = float("inf"), await self.used()
        while now < before:
            await asyncio.sleep(0.5)  # the device is looked at every 0.1 s
            before, now = now, await self.used()
        return now

    async def _metric(self, name: str) -> float:
        async with self._session.get(f"{self._url}/metrics") as response:
            text = await response.text()
        (line,) = [line for line in text.splitlines() if line.startswith(name)]
        return float(line.rsplit(" ", 1)[1])

    async def until(self, condition: Callable[[float], bool]) -> None:
        """Wait for the memory in use; the test's own timeout bounds it."""
        while not condition(await self.used()):  # noqa: ASYNC110 - a process tells no events
            await asyncio.sleep(0.1)

    async def limit(self, sequences: int) -> None:
        body = {"maxNumSeqs": sequences}
        async with self._session.patch(f"{self._url}/admin/config", json=body) as response:
            assert response.status == 200

    async def ask(self, number: int) -> None:
        prompt = [(number * 97 + place * 31) % 1000 + 10 for place in range(PROMPT)]
        body = {"prompt": prompt, "max_tokens": TOKENS, "temperature": 0}
        async with self._session.post(f"{self._url}/v1/completions", json=body) as response:
            await response.read()

    @asynccontextmanager
    async def asked(self) -> AsyncGenerator[None]:
        """Many long requests, for as long as the block lasts."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.ask(number)) for number in range(MANY)]
            yield
            for task in tasks:
                task.cancel()


@asynccontextmanager
async def serving(model: Path, library: Path) -> AsyncGenerator[Server]:
    flags = {"--model": str(model), "--port": "0", "--gpu-seconds": "0.1", "--step-floor": "0.05"}
    flags["--cache-ram-mb"] = "0"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "inference", "serve"),
        *(word for pair in flags.items() for word in pair),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "LD_LIBRARY_PATH": str(library)},
    )
    try:
        assert process.stdout is not None
        told: dict[str, Any] = {}
        port = 0
        while told.get("event") != "ready":
            told = json.loads(await process.stdout.readline())
            port = told.get("port", port)
        async with aiohttp.ClientSession() as session:
            yield Server(session, f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        await process.communicate()


async def test_fewer_sequences_at_once_take_less_of_the_device(
    model_dir: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    library = await build(tmp_path / "gpu", say=said.append)
    if library is None:
        pytest.skip(said[0])
    async with serving(model_dir, library) as server:
        crowd = MANY * SEQUENCE
        new = await server.used()
        async with server.asked():
            await server.until(lambda used: used >= new + crowd)
        # What the first sums cost for good (threads, recorded steps) is not that of a sequence; it
        # may be as much as a whole crowd's.
        idle = await server.idle()
        async with server.asked():
            await server.until(lambda used: used >= idle + crowd)
        await server.until(lambda used: used < idle + crowd / 2)
        await server.limit(FEW)
        async with server.asked():
            await server.until(lambda used: used >= idle + FEW * SEQUENCE)
            for _ in range(60):
                assert await server.used() < idle + crowd
                await asyncio.sleep(0.05)


async def test_a_server_without_a_gpu_says_none_and_has_no_series_of_one(start: Start) -> None:
    running = await start()
    await asyncio.sleep(0)
    async with running.client.get("/health/components") as response:
        told = (await response.json())["components"]["gpu"]
    if told["provider"] != "none":
        pytest.skip("this machine has a GPU")
    assert told["status"] == "healthy"
    assert "devices" not in told
    seen = await running.metrics()
    assert seen["gpu_devices"] == 0
    assert seen['health_check_status{component="gpu"}'] == 0
    assert not [name for name in seen if name.startswith("DCGM")]
