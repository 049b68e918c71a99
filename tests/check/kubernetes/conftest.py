from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from healer.check.contract import CheckContext
from healer.model.service import Service, Target
from tests.fakes.lab import NAMESPACE, SELECTOR, Lab, running_lab


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with running_lab(tmp_path) as running:
        yield running


@pytest.fixture
def ctx() -> CheckContext:
    target = Target(namespace=NAMESPACE, kind="deployment", name="api")
    service = Service(name="api", match=(), workload=target, selector=SELECTOR)
    return CheckContext(id="asked", service=service, target=target)
