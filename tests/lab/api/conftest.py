"""The API server, empty or with life in it."""

from collections.abc import AsyncGenerator

import pytest

from tests.fakes.apiserver import Lab, living, serve


@pytest.fixture
async def lab() -> AsyncGenerator[Lab]:
    """A server over an empty cluster; nothing moves by itself."""
    async with serve() as found:
        yield found


@pytest.fixture
async def alive(lab: Lab) -> AsyncGenerator[Lab]:
    """A server with controllers and a kubelet behind it."""
    async with living(lab) as found:
        yield found
