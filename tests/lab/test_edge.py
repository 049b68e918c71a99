"""The front and the prober: real programs, a real handshake, a Secret that changes under them."""

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from healer.client.tls import handshake
from healer.errors import UnavailableError
from healer.kit.certificate import Certificate, parse_pair
from healer.lab.authority import Pair
from healer.lab.monitoring.child import free_port
from tests.fakes.sealed import HOST, signed

ROOT = Path(__file__).parents[2]
SOON = timedelta(seconds=5)


@asynccontextmanager
async def program(name: str, *words: str) -> AsyncGenerator[int]:
    """One of the two, on a port of its own."""
    port = free_port()
    argv = (sys.executable, "-m", f"healer.lab.edge.{name}", "--host", "127.0.0.1")
    process = await asyncio.create_subprocess_exec(*argv, "--port", str(port), *words, cwd=ROOT)
    try:
        yield port
    finally:
        process.kill()
        await process.wait()


def put(folder: Path, pair: Pair) -> str:
    """As a kubelet does: by renaming. The fingerprint."""
    for name, text in (("tls.key", pair.key), ("tls.crt", pair.certificate)):
        fresh = folder / f"{name}.new"
        fresh.write_bytes(text)
        fresh.replace(folder / name)
    return parse_pair(pair.certificate, pair.key).fingerprint


async def shown(port: int, wanted: str) -> Certificate:
    """What the front shows, once it is that."""
    async with asyncio.timeout(20):
        while True:
            try:
                found = await handshake("127.0.0.1", port, server_name=HOST, timeout=SOON)
            except UnavailableError:
                await asyncio.sleep(0.05)
                continue
            if found.fingerprint == wanted:
                return found
            await asyncio.sleep(0.05)


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[tuple[int, Path]]:
    put(tmp_path, signed(days=5))
    async with program("front", "--tls", str(tmp_path), "--pid", str(tmp_path / "pid")) as port:
        yield port, tmp_path


async def test_the_front_follows_its_secret_without_a_restart(front: tuple[int, Path]) -> None:
    port, folder = front
    await shown(port, put(folder, signed(days=6)))
    pid = (folder / "pid").read_text()

    await shown(port, put(folder, signed(days=90)))

    assert (folder / "pid").read_text() == pid


async def test_the_prober_tells_when_the_certificate_expires_whatever_it_is_worth(
    front: tuple[int, Path],
) -> None:
    port, folder = front
    expired = await shown(port, put(folder, signed(days=-1, since=9)))
    async with program("prober") as prober, aiohttp.ClientSession() as session:
        text = await scraped(session, prober, f"127.0.0.1:{port}")
        assert "probe_success 1" in text
        told = float(text.split("probe_ssl_earliest_cert_expiry ")[1].split()[0])
        assert told == expired.not_after.timestamp()

        text = await scraped(session, prober, f"127.0.0.1:{free_port()}")
        assert "probe_success 0" in text
        assert "probe_ssl" not in text


async def scraped(session: aiohttp.ClientSession, prober: int, target: str) -> str:
    url = f"http://127.0.0.1:{prober}/probe?target={target}&name={HOST}"
    async with asyncio.timeout(20):
        while True:
            try:
                async with session.get(url) as answer:
                    return await answer.text()
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)
