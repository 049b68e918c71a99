"""A server program beside the lab: found on PATH, started on loopback, ended with the lab."""

import asyncio
import contextlib
import os
import shutil
import socket
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from pathlib import Path

import aiohttp

from healer.errors import PermanentError
from healer.lab.node.holder import command

HOW = {
    "prometheus": ("prometheus", "https://prometheus.io/download/#prometheus"),
    "promtool": ("prometheus", "https://prometheus.io/download/#prometheus"),
    "alertmanager": ("prometheus-alertmanager", "https://prometheus.io/download/#alertmanager"),
    "amtool": ("prometheus-alertmanager", "https://prometheus.io/download/#alertmanager"),
}


class MissingProgramError(PermanentError):
    """A program that the lab needs is not on PATH; the message says how to get it."""


class StartError(PermanentError):
    """A program ended or stayed silent instead of becoming ready; carries the end of its log."""


def find(*names: str, path: str | None = None) -> str:
    """The first of these programs that is on PATH."""
    for name in names:
        if found := shutil.which(name, path=path):
            return found
    package, page = HOW[names[-1]]
    raise MissingProgramError(
        f"{' or '.join(names)} is not on PATH. On Debian or Ubuntu: apt-get install {package};"
        f" elsewhere: take the release from {page} and put it on PATH."
    )


def free_port() -> int:
    """A loopback port that is free now; whoever takes it may be late, so be ready to try again."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def room(name: str, *, inside: Path | None) -> Generator[Path]:
    """A temporary folder, by its real path."""
    with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=inside) as made:
        yield Path(made).resolve()


@contextlib.asynccontextmanager
async def serving(argv: Callable[[int], Sequence[str]], *, folder: Path) -> AsyncGenerator[str]:
    """Run a program that listens on the port given to `argv`; yields its URL when it is ready."""
    log = folder / "output.log"
    for attempt in range(3):
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        process = await _start(argv(port), log)
        try:
            await _ready(url, process)
        except (TimeoutError, ChildProcessError) as error:
            await _end(process)
            written = log.read_text(errors="replace")
            if "address already in use" in written and attempt < 2:
                continue
            raise StartError(f"{argv(port)[0]} did not start:\n{written[-2000:]}") from error
        except BaseException:
            await _end(process)
            raise
        try:
            yield url
        finally:
            await _end(process)
        return


async def _start(argv: Sequence[str], log: Path) -> Process:
    spec = {"argv": list(argv), "parent": os.getpid(), "folder": str(log.parent)}
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        return await asyncio.create_subprocess_exec(
            *command("plain", spec),
            stdin=DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    finally:
        os.close(output)


async def _ready(url: str, process: Process) -> None:
    async with asyncio.timeout(30), aiohttp.ClientSession() as session:
        while True:
            if process.returncode is not None:
                raise ChildProcessError(f"it ended with status {process.returncode}")
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"{url}/-/ready") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.05)


async def _end(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(5):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
