"""A flood of oversized bodies does not fill the memory: measured on a real process."""

import asyncio
import gzip
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.edge import TOKEN

pytestmark = pytest.mark.skipif(not Path("/proc").exists(), reason="reads /proc")

MEBIBYTE = 1024 * 1024
BOUND = 256 * MEBIBYTE
"""What a flood may add: 32 MiB of bodies at most, and one of 8 MiB of them being parsed."""

HEAD = (
    f"POST /webhook/alertmanager HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
).encode()
PROBE = (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"", 0)
CLIENTS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    pid: int
    port: int

    def peak(self) -> int:
        """The most memory it ever had resident."""
        lines = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8").splitlines()
        (line,) = (line for line in lines if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024


@pytest.fixture
async def daemon() -> AsyncGenerator[Daemon]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.fakes.daemon"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    try:
        assert process.stdout is not None
        assert process.stdin is not None
        port = int(await process.stdout.readline())
        yield Daemon(pid=process.pid, port=port)
        process.stdin.close()
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def pour(daemon: Daemon, head: bytes, piece: bytes, times: int) -> bytes:
    """Send until all is sent or the server has enough; its answer's first line."""
    reader, writer = await asyncio.open_connection("127.0.0.1", daemon.port)
    answer = asyncio.ensure_future(reader.readline())
    try:
        writer.write(head)
        for _ in range(times):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
            if answer.done():  # as clients do: pouring on would make the server hang up on them
                break
        return await answer
    except ConnectionError:
        return b""
    finally:
        answer.cancel()
        writer.transport.abort()


def chunked(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


def whole(content: bytes) -> bytes:
    """A head that tells the length of `content` as it is."""
    return HEAD + b"Content-Length: %d\r\n\r\n" % len(content)


SPACES = b" " * MEBIBYTE
LIMIT = 8 * MEBIBYTE
BOMB = gzip.compress(b" " * 128 * MEBIBYTE, compresslevel=1)
ROW = b'{"status":"firing","labels":{},"startsAt":"2026-01-02T03:04:05Z"},'
START = b'{"version":"4","groupKey":"","receiver":"","alerts":['
SMALL = START + ROW * ((LIMIT - 200) // len(ROW)) + ROW[:-1] + b"]}"
HOLLOW = START + b"{}," * ((LIMIT - 200) // 3) + b"{}]}"
NAMES = b"{%s}" % b",".join(b'"%06x":0' % number for number in range(700_000))
FLOODS = {
    "lengths that lie": (HEAD + b"Content-Length: 1000000000000\r\n\r\n", SPACES, 16),
    "chunks without end": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", chunked(SPACES), 16),
    "just below the limit": (HEAD + b"Content-Length: 8388608\r\n\r\n", SPACES, 8),
    "bombs": (HEAD + b"Content-Encoding: gzip\r\n" + whole(BOMB).removeprefix(HEAD), BOMB, 1),
    "the smallest of alerts": (whole(SMALL), SMALL, 1),
    "objects without content": (whole(HOLLOW), HOLLOW, 1),
    "names without end": (whole(NAMES), NAMES, 1),
}


@pytest.mark.parametrize("flood", FLOODS)
async def test_a_flood_leaves_the_memory_bounded(daemon: Daemon, flood: str) -> None:
    assert await pour(daemon, *PROBE) == b"HTTP/1.1 200 OK\r\n"
    before = daemon.peak()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(pour(daemon, *FLOODS[flood])) for _ in range(CLIENTS)]
    answers = {task.result()[9:12] for task in tasks}
    grown = (daemon.peak() - before) / MEBIBYTE
    assert answers - {b""} <= {b"200", b"400", b"413", b"503"}
    assert answers - {b""}
    assert grown < BOUND / MEBIBYTE, f"{flood}: {grown} MiB"
    assert await pour(daemon, *PROBE) == b"HTTP/1.1 200 OK\r\n"
