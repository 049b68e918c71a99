"""A router over HTTP: its experts are real HTTP servers, its classifier is a fake."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from inference.router.api import PARTS
from inference.router.classifier import Model
from inference.router.server import application
from inference.router.settings import Experts, RouterSettings
from tests.inference.router.fakes import FakeExpert, FakeModel, Router, Start

_EXAMPLES = {"code": ["code"], "poems": ["poem"], "general": ["law"]}


@pytest.fixture
async def start() -> AsyncGenerator[Start]:
    """Starts routers over a coder, a poet and a generalist, who is the fallback; stops them all."""
    async with AsyncExitStack() as stack:

        async def begin(
            *, load: Callable[[], Model] = FakeModel, settled: bool = True, **settings: Any
        ) -> Router:
            fakes = {name: FakeExpert(name) for name in _EXAMPLES}
            for fake in fakes.values():
                await stack.enter_async_context(fake.server)
            listed = [
                {"name": name, "url": fake.url, "examples": _EXAMPLES[name]}
                for name, fake in fakes.items()
            ]
            experts = Experts.model_validate({"experts": listed, "fallback": "general"})
            quick: dict[str, Any] = {
                "probe_seconds": 0.05,
                "classifier_retry_seconds": 0.05,
                **settings,
            }
            app = application(RouterSettings(**quick), experts, load=load)
            client = await stack.enter_async_context(
                TestClient(TestServer(app, handler_cancellation=True))
            )
            router = Router(client=client, parts=app[PARTS], experts=fakes)
            if settled:
                await router.until(router.parts.health.ready)
            return router

        yield begin
