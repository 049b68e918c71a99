"""Keeps looptime from making an event loop for tests without one, which nobody would close."""

import asyncio


def pytest_configure() -> None:
    asyncio.set_event_loop(None)
