"""A running node with a tiny web server and a shell as its images."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from healer.lab.node.ground import Settings
from healer.lab.node.node import ProcessNode
from tests.fakes.cluster import FakeCluster
from tests.fakes.node import SERVER, Lab, Start


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Starts a node; parameters go into its Settings, `rootless` to the node."""
    server = tmp_path / "server.py"
    server.write_text(SERVER)
    settings = Settings(
        images={"server": [sys.executable, "-S", str(server)], "shell": ["sh", "-c"]},
        restart_delay=0.05,
        retry_delay=0.05,
    )

    @contextlib.asynccontextmanager
    async def run(*, rootless: bool | None = None, **changes: Any) -> AsyncGenerator[Lab]:
        cluster = FakeCluster()
        node = ProcessNode(
            cluster, settings=replace(settings, **changes), folder=tmp_path, rootless=rootless
        )
        async with asyncio.TaskGroup() as group:
            task = group.create_task(node.run())
            try:
                yield Lab(cluster=cluster, node=node)
            finally:
                task.cancel()

    return run


@pytest.fixture
async def lab(start: Start) -> AsyncGenerator[Lab]:
    """A running node."""
    async with start() as found:
        yield found
