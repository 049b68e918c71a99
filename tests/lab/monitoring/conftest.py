"""Pure tests and tests with an event loop, side by side."""

import asyncio

import pytest


@pytest.fixture(scope="session", autouse=True)
def no_stray_loop() -> None:
    """Without this, pytest-asyncio makes a loop only to put it back, and nobody closes it."""
    asyncio.set_event_loop(None)
