"""What all tests need."""

import asyncio

import hypothesis

hypothesis.settings.register_profile("any machine", deadline=None)  # no test depends on speed
hypothesis.settings.load_profile("any machine")


def pytest_configure() -> None:
    """Python 3.11 makes an event loop for whoever asks for "the" loop, and nobody closes it.

    Once None was set it makes none up, so no test pays for another one's question.
    """
    asyncio.set_event_loop(None)
