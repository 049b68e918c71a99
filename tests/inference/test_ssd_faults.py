"""An SSD that fails in four ways, one after the other under load: nobody who asks notices.

The faults are the kernel's own, in the server's mount namespace: a volume mounted read-only, a full
one, files whose opening blocks (a lease that somebody else holds), and bytes that change.
"""

import asyncio
import inspect
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

ROOT = Path(__file__).parents[2]
OWN_MOUNTS = ("unshare", "--user", "--map-root-user", "--mount")


def _can_mount() -> bool:
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return False
    command = [*OWN_MOUNTS, "mount", "-t", "tmpfs", "x", "/mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not _can_mount(), reason="no user namespaces: no tmpfs can be mounted"),
    pytest.mark.timeout(900),
]

SLOW = """
import errno, fcntl, os, pathlib, signal, sys, time
root, probe = pathlib.Path(sys.argv[1]), sys.argv[2]
signal.signal(signal.SIGIO, signal.SIG_IGN)
held, broken = {}, {}
print("slow", flush=True)
while True:
    (root / probe).touch()
    for path in [*(root / "cache").glob("*.safetensors"), root / probe]:
        if path in held:
            continue
        try:
            file = os.open(path, os.O_RDWR)
        except OSError:
            continue
        try:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            held[path] = file
        except OSError:
            os.close(file)
    for path, file in list(held.items()):
        if fcntl.fcntl(file, fcntl.F_GETLEASE) == fcntl.F_WRLCK and path.exists():
            continue
        since = broken.setdefault(path, time.monotonic())
        if time.monotonic() - since > 2:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
            os.close(file)
            del held[path], broken[path]
    time.sleep(0.002)
"""

FULL = """
import pathlib, sys, time
with (pathlib.Path(sys.argv[1]) / "ballast").open("wb", buffering=0) as file:
    try:
        while True:
            file.write(bytes(2**20))
    except OSError as error:
        print(error, flush=True)
while True:  # whatever is freed is taken at once
    try:
        with (pathlib.Path(sys.argv[1]) / "ballast").open("ab", buffering=0) as file:
            file.write(bytes(4096))
    except OSError:
        time.sleep(0.01)
"""

CORRUPT = """
import itertools, pathlib, sys, time
print("corrupt", flush=True)
for place in itertools.count(100):  # never the same byte twice: that would mend it
    for path in (pathlib.Path(sys.argv[1]) / "cache").glob("*.safetensors"):
        try:
            with path.open("r+b") as file:
                file.seek(path.stat().st_size - place % 4000)
                byte = file.read(1)
                file.seek(-1, 1)
                file.write(bytes([byte[0] ^ 1]))
        except OSError:
            pass
    time.sleep(0.2)
"""


ERRORS = 'error_count_total{category="ssd"}'


async def until(condition: Callable[[], object]) -> None:
    """Wait for another process; the test's own timeout bounds it."""
    while True:
        found = condition()
        if await found if inspect.isawaitable(found) else found:
            return
        await asyncio.sleep(0.02)


@dataclass(slots=True, kw_only=True)
class Load:
    """Clients who ask for ever: some the same again and again, some always something new."""

    session: aiohttp.ClientSession
    url: str
    answers: Counter[str] = field(default_factory=Counter[str])
    known: dict[int, str] = field(default_factory=dict[int, str])

    async def ask(self, prompt: list[int]) -> str:
        body = {"prompt": prompt, "max_tokens": 8, "temperature": 0}
        try:
            async with self.session.post(f"{self.url}/v1/completions", json=body) as response:
                text: dict[str, Any] = await response.json()
                self.answers[str(response.status)] += 1
                return str(text["choices"][0]["text"]) if response.status == 200 else ""
        except (aiohttp.ClientError, TimeoutError) as error:
            self.answers[type(error).__name__] += 1
            return ""

    async def answered(self, times: int) -> None:
        """Wait until so many requests have succeeded in all."""
        await until(lambda: self.answers["200"] >= times)

    async def repeat(self) -> None:
        """The same six prompts, whose beginnings are on the SSD; the answers never change."""
        while True:
            for number in range(6):
                text = await self.ask(
                    [(number * 97 + place * 31) % 1000 + 10 for place in range(130)]
                )
                if text and self.known.setdefault(number, text) != text:
                    self.answers["wrong text"] += 1

    async def renew(self, client: int) -> None:
        """Always another prompt, so that there is always something to write."""
        number = client * 100_000
        while True:
            number += 1
            head = [number % 900 + 10, number // 900 % 900 + 10, client + 10]
            await self.ask(head + [(place * 31) % 1000 + 10 for place in range(40)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The server process, and what can be done to its volume."""

    pid: int
    ssd: Path
    url: str
    session: aiohttp.ClientSession

    async def get(self, path: str) -> Any:
        async with self.session.get(self.url + path) as response:
            text = await response.text()
        return json.loads(text) if text.startswith("{") else text

    async def metric(self, name: str) -> float:
        text: str = await self.get("/metrics")
        (line,) = [line for line in text.splitlines() if line.startswith(name)]
        return float(line.rsplit(" ", 1)[1])

    async def breaker(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.get("/admin/circuit-breaker/status"))["ssd"]
        return found

    def inside(self, *command: str) -> list[str]:
        """A command that sees what the server sees."""
        namespaces = ("nsenter", "--preserve-credentials", "--user", "--mount")
        return [*namespaces, "--target", str(self.pid), *command]

    async def remount(self, how: str) -> None:
        command = self.inside("mount", "-o", f"remount,{how}", str(self.ssd))
        process = await asyncio.create_subprocess_exec(*command)
        assert await process.wait() == 0

    @asynccontextmanager
    async def unwritable(self) -> AsyncGenerator[None]:
        await self.remount("ro")
        yield
        await self.remount("rw")

    @asynccontextmanager
    async def running(self, script: str, *arguments: str) -> AsyncGenerator[None]:
        """A program inside that spoils the volume until it is killed."""
        command = self.inside(sys.executable, "-S", "-c", script, str(self.ssd), *arguments)
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        assert await process.stdout.readline()
        yield
        process.kill()
        await process.communicate()

    @asynccontextmanager
    async def full(self) -> AsyncGenerator[None]:
        async with self.running(FULL):
            yield
        remove = await asyncio.create_subprocess_exec(*self.inside("rm", str(self.ssd / "ballast")))
        assert await remove.wait() == 0

    async def opened_by(self, words: tuple[str, ...], *, since: int) -> None:
        """Wait until the circuit has opened anew, and for this reason."""

        async def opened() -> bool:
            found = await self.breaker()
            reason = str(found["last_error"])
            return found["times_opened"] > since and any(word in reason for word in words)

        await until(opened)

    async def until(self, condition: Callable[[float, float], bool]) -> None:
        """Wait for the circuit's state and the degradation mode, as Prometheus reads them."""

        async def holds() -> bool:
            state = await self.metric("circuit_breaker_state")
            return condition(state, await self.metric("degradation_mode"))

        await until(holds)


@asynccontextmanager
async def serving(model: Path, ssd: Path) -> AsyncGenerator[Server]:
    ssd.mkdir()  # noqa: ASYNC240 - a local folder, before anything runs
    flags = (
        "--model", str(model), "--port", "0", "--ssd-dir", str(ssd), "--ssd-low-gb", "0.002",
        "--ssd-critical-gb", "0.001", "--ssd-probe-seconds", "0.2", "--step-floor", "0.02",
        "--breaker-retry-seconds", "1", "--breaker-slow-seconds", "1.5", "--cache-ram-mb", "0",
    )  # fmt: skip
    # exec keeps the server the direct child, so that signals reach it.
    script = f'mount -t tmpfs -o size=128m tmpfs {ssd} && exec "$@"'
    process = await asyncio.create_subprocess_exec(
        *(*OWN_MOUNTS, "sh", "-c", script, "sh", sys.executable, "-m", "inference", "serve"),
        *flags,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ},
        limit=2**20,
    )
    assert process.stdout is not None
    try:
        told: dict[str, Any] = {}
        port = 0
        while told.get("event") != "ready":
            told = json.loads(await process.stdout.readline())
            port = told.get("port", port)
        async with asyncio.TaskGroup() as group, aiohttp.ClientSession() as session:
            reading = group.create_task(_drop(process.stdout))
            url = f"http://127.0.0.1:{port}"
            yield Server(pid=process.pid, ssd=ssd, url=url, session=session)
            reading.cancel()
    finally:
        process.kill()
        await process.communicate()


async def _drop(stream: asyncio.StreamReader) -> None:
    """Nobody reads its log here, and a full pipe would stop it."""
    while await stream.read(65536):
        pass


@asynccontextmanager
async def loaded(server: Server) -> AsyncGenerator[Load]:
    load = Load(session=server.session, url=server.url)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(load.repeat()) for _ in range(3)]
        tasks += [group.create_task(load.renew(client)) for client in range(2)]
        yield load
        for task in tasks:
            task.cancel()


async def test_four_faults_of_the_ssd_under_load_fail_not_one_request(
    model_dir: Path, tmp_path: Path
) -> None:
    async with serving(model_dir, tmp_path / "ssd") as server, loaded(server) as load:
        slow = server.running(SLOW, f".health-{server.pid}")
        faults = (
            (server.unwritable(), ("Read-only file system",), ERRORS),
            (server.full(), ("No space left on device",), ERRORS),
            (slow, ("slow call", "does not come back"), "health_ssd_slow_operations_total"),
            (server.running(CORRUPT), ("fails its checksum", "is unreadable"), ERRORS),
        )
        for fault, words, counter in faults:
            await until(lambda: server.metric("cache_hit_rate"))
            opened = (await server.breaker())["times_opened"]
            counted = await server.metric(counter)
            async with fault:
                await server.opened_by(words, since=opened)
                await server.until(lambda state, mode: state > 0)
                await server.until(lambda state, mode: mode == 1)
                assert await server.metric(counter) >= counted + 3
                await load.answered(load.answers["200"] + 5)
            await server.until(lambda state, mode: state == 0 and mode == 0)
        assert set(load.answers) == {"200"}
        assert len(load.known) == 6
        assert await server.metric('request_count_total{status="error"}') == 0
