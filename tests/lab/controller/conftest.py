"""Controllers in virtual time."""

from collections.abc import AsyncGenerator

import pytest

from tests.fakes.control import Control, controlled


@pytest.fixture
async def control() -> AsyncGenerator[Control]:
    """All controllers, and a kubelet with one node."""
    async with controlled() as found:
        yield found


@pytest.fixture
async def nodeless() -> AsyncGenerator[Control]:
    """All controllers and no node: pods move only as the test says."""
    async with controlled(kubelet=False) as found:
        yield found
