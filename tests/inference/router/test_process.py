"""The router as a process of its own, with the real classifier."""

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from inference.router.minilm import FILES, folder_of
from tests.inference.router.fakes import FakeExpert

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[3]
EXAMPLES = {
    "code": ["Write a function in Python", "Fix the bug in this program"],
    "general": ["What is the capital of France?"],
}


class Process:
    """A router that listens."""

    def __init__(self, child: asyncio.subprocess.Process, session: aiohttp.ClientSession) -> None:
        self.child = child
        self._session = session
        self._url = ""

    async def listening(self) -> None:
        """Wait until it says so."""
        assert self.child.stdout is not None
        told: dict[str, Any] = {}
        while told.get("event") != "listening":
            told = json.loads(await self.child.stdout.readline())
        self._url = f"http://127.0.0.1:{told['port']}"

    async def settled(self) -> dict[str, Any]:
        """Its health, once the classifier was tried and the experts were looked at."""
        while True:
            async with self._session.get(f"{self._url}/health/readiness") as response:
                if response.status == 200:
                    break
            await asyncio.sleep(0.05)
        async with self._session.get(f"{self._url}/health") as response:
            found: dict[str, Any] = await response.json()
        return found

    async def ask(self, prompt: str) -> str:
        """Who answers."""
        body = {"messages": [{"role": "user", "content": prompt}]}
        async with self._session.post(f"{self._url}/v1/chat/completions", json=body) as response:
            assert response.status == 200
            return response.headers["X-Expert"]


@asynccontextmanager
async def routing(folder: Path, *flags: str) -> AsyncGenerator[Process]:
    experts = {name: FakeExpert(name) for name in EXAMPLES}
    async with aiohttp.ClientSession() as session:
        for each in experts.values():
            await each.server.start_server()
        listed = [
            {"name": name, "url": each.url, "examples": EXAMPLES[name]}
            for name, each in experts.items()
        ]
        config = folder / "experts.yaml"
        config.write_text(yaml.safe_dump({"experts": listed, "fallback": "general"}))
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "inference", "router", "--config", str(config)),
            *("--port", "0", "--classify-timeout", "20", *flags),
            stdout=asyncio.subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ},
        )
        process = Process(child, session)
        try:
            await process.listening()
            yield process
        finally:
            if child.returncode is None:
                child.kill()
            await child.communicate()
            for each in experts.values():
                await each.server.close()


async def test_it_routes_by_meaning_and_ends_when_told(tmp_path: Path) -> None:
    async with routing(tmp_path) as router:
        assert (await router.settled())["status"] == "healthy"
        assert await router.ask("Why does my Python function return None?") == "code"
        assert await router.ask("Which city is the capital of Spain?") == "general"
        router.child.send_signal(signal.SIGTERM)
        await router.child.communicate()
        assert router.child.returncode == 0


async def test_with_a_bad_byte_in_its_classifier_it_serves_by_the_fallback_and_says_why(
    tmp_path: Path,
) -> None:
    for name in FILES:
        shutil.copy(folder_of(None) / name, tmp_path / name)
    weights = tmp_path / "model.safetensors"
    with weights.open("r+b") as file:
        file.seek(40_000_000)
        file.write(b"\x00\x01\x02")
    async with routing(tmp_path, "--classifier", str(tmp_path)) as router:
        health = await router.settled()
        assert health["status"] == "critical"
        assert health["reasons"] == [f"everything goes to general: {weights}: checksum mismatch"]
        assert await router.ask("Why does my Python function return None?") == "general"


async def test_a_file_of_experts_that_is_wrong_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "experts.yaml").write_text("experts: []\nfallback: x\n")
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "inference", "router"),
        *("--config", str(tmp_path / "experts.yaml")),
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    _, said = await child.communicate()
    assert child.returncode == 2
    assert b"experts.yaml: experts: List should have at least 1 item" in said
