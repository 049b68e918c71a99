"""What all tests of this room need."""

import asyncio

import pytest


@pytest.fixture(scope="session", autouse=True)
def no_loop_made_in_passing() -> None:
    """Before its first asynchronous test pytest-asyncio asks for "the" loop, and closes it never.

    Once None was set, Python 3.11 makes none up.
    """
    asyncio.set_event_loop(None)
