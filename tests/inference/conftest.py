"""A real tiny model, made once, and servers around it."""

import os
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from inference.server import Server
from inference.settings import Settings
from inference.share import Shared
from tests.inference.running import Running, Start

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model."""
    from inference.tiny import make_model

    folder = tmp_path_factory.mktemp("model") / "tiny"
    make_model(folder)
    return folder


@pytest.fixture
async def start(model_dir: Path) -> AsyncGenerator[Start]:
    """Starts servers with the given settings and stops them all."""
    async with AsyncExitStack() as stack:

        async def begin(
            *, ready: bool = True, shared: Shared | None = None, **settings: Any
        ) -> Running:
            wanted = {"model": model_dir, **settings}
            running = await stack.enter_async_context(_running(wanted, shared))
            if ready:
                await running.server.ready()
            return running

        yield begin


@asynccontextmanager
async def _running(settings: dict[str, Any], shared: Shared | None) -> AsyncGenerator[Running]:
    server = Server(Settings(**settings), shared=shared)
    site = TestServer(server.application())
    async with TestClient(site) as client:
        yield Running(client=client, server=server)
