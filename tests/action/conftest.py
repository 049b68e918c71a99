from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.lab import Lab, running_lab


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with running_lab(tmp_path) as running:
        yield running
