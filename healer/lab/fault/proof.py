"""How a fault proves that it struck: it waits until the lab itself shows it, and no longer."""

import asyncio
from collections.abc import Callable

from healer.errors import PermanentError
from healer.lab.remote import Remote

WITHIN = 30.0


async def shown(
    remote: Remote, query: str, holds: Callable[[float], bool], *, within: float = WITHIN
) -> float:
    """The first value of a query that holds; PermanentError where none comes in time (seconds)."""
    value: float | None = None
    try:
        async with asyncio.timeout(within):
            while True:
                value = await remote.query(query)
                if value is not None and holds(value):
                    return value
                await asyncio.sleep(0.2)
    except TimeoutError:
        message = f"the fault did not show within {within:g} s: {query} is {value}"
        raise PermanentError(message) from None


async def firing(remote: Remote, alert: str, namespace: str) -> None:
    """Wait until Prometheus says that this alert fires there."""
    where = f'alertname="{alert}", alertstate="firing", namespace="{namespace}"'
    await shown(remote, f"max(ALERTS{{{where}}})", lambda value: value == 1)
