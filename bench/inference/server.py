"""The two servers that are compared, each a process of its own upon the same model folder."""

import asyncio
import socket
import urllib.error
import urllib.request
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.target import process

_OFFLINE = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A server that answers now. `more` is what every body must hold beside the question."""

    name: str
    url: str
    pid: int
    log: Path
    more: dict[str, object] = field(default_factory=dict[str, object])


Start = Callable[[Path, Path], AbstractAsyncContextManager[Serving]]
"""Given the model and a new folder for whatever it writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What both servers compute on: the size of their model, and what each is told beside it."""

    size: str
    rival: tuple[str, ...]
    healer: tuple[str, ...] = ()


# The rival's defaults need gigabytes on a CPU, and nearly all of a GPU, where the other one lives.
CPU = Machine(
    size="tiny",
    rival=("--device=cpu", "--cb-num-blocks=128", "--cb-max-batch-tokens=512"),
)
GPU = Machine(
    size="3b",
    rival=("--device=cuda", "--cb-max-memory-percent=0.5"),
    healer=("--prefill-chunk=2048",),
)


@asynccontextmanager
async def healer(model: Path, folder: Path, *options: str) -> AsyncGenerator[Serving]:
    """Ours, with all it has switched on: admission, metrics, cache on disk, integrity, logs."""
    port = _free_port()
    (folder / "ssd").mkdir()
    command = ["-m", "inference", "serve", f"--model={model}", f"--port={port}"]
    command += [f"--ssd-dir={folder / 'ssd'}", "--ssd-low-gb=0", "--ssd-critical-gb=0", *options]
    log = folder / "healer.log"
    async with process(*command, output=log, environment=_OFFLINE) as server:
        await _answers(f"http://127.0.0.1:{port}/health/readiness", server, log)
        yield Serving(
            name="healer",
            url=f"http://127.0.0.1:{port}",
            pid=server.pid,
            log=log,
            more={"stream_options": {"include_usage": True}},
        )


@asynccontextmanager
async def transformers(model: Path, folder: Path, *options: str) -> AsyncGenerator[Serving]:
    """`transformers serve` with continuous batching."""
    port = _free_port()
    command = ["-m", "transformers.cli.transformers", "serve", str(model), "--continuous-batching"]
    command += ["--host=127.0.0.1", f"--port={port}", "--log-level=error", *options]
    log = folder / "transformers.log"
    async with process(*command, output=log, environment=_OFFLINE) as server:
        await _answers(f"http://127.0.0.1:{port}/health", server, log)
        yield Serving(
            name="transformers serve",
            url=f"http://127.0.0.1:{port}",
            pid=server.pid,
            log=log,
            more={"model": str(model)},
        )


async def make_model(folder: Path, size: str = "tiny") -> None:
    """A model of random weights, made in a process so that this one stays free of torch."""
    async with process("-m", "inference", "make-model", str(folder), size) as making:
        if await making.wait():
            message = f"the model could not be made in {folder}"
            raise RuntimeError(message)


async def _answers(url: str, server: asyncio.subprocess.Process, log: Path) -> None:
    async with asyncio.timeout(120):
        while not await asyncio.to_thread(_is_there, url):
            if server.returncode is not None:
                said = await asyncio.to_thread(log.read_text)
                message = f"it ended with {server.returncode}:\n{said[-2000:]}"
                raise RuntimeError(message)
            await asyncio.sleep(0.1)


def _is_there(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - loopback
            return True
    except (urllib.error.URLError, OSError):
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
