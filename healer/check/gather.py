"""Asking several at once: every answer stands beside its question, and so does every failure.

It decides nothing: what a failure of one means for the whole is the check's own affair.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from healer.errors import HealerError, PermanentError, TemporaryError

AskedT = TypeVar("AskedT")
AnswerT = TypeVar("AnswerT")
_AT_ONCE = 10


async def ask_each(
    asked: Sequence[AskedT], question: Callable[[AskedT], Awaitable[AnswerT]]
) -> list[tuple[AskedT, AnswerT | HealerError]]:
    """The answers in the order of `asked`, an error in the place of what could not be had."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(about: AskedT) -> AnswerT | HealerError:
        async with slots:
            try:
                return await question(about)
            except (TemporaryError, PermanentError) as error:
                return error

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(about)) for about in asked]
    return [(about, task.result()) for about, task in zip(asked, tasks, strict=True)]
