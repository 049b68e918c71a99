from collections.abc import AsyncGenerator

import pytest

from tests.fakes.edge import Served, served


@pytest.fixture
async def edge() -> AsyncGenerator[Served]:
    async with served() as made:
        yield made
