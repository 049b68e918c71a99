from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from healer.client.kubernetes.cluster import Kubernetes, connect
from tests.fakes.kubeconfig import write_kubeconfig
from tests.fakes.stub import Stub, stub_server


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    async with stub_server() as running:
        yield running


@pytest.fixture
async def kubernetes(stub: Stub, tmp_path: Path) -> AsyncIterator[Kubernetes]:
    file = write_kubeconfig(tmp_path / "kubeconfig", server=stub.url)
    cluster = await connect(file, timeout=timedelta(seconds=3))
    yield cluster
    await cluster.close()
