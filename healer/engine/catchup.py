"""Fetch what webhooks did not bring: at every start, and after a delivery that was truncated."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Protocol

from healer.errors import HealerError
from healer.kit.clock import Clock
from healer.kit.retry import delays
from healer.model.alert import AlertGroup
from healer.model.receipt import Receipt

_log = logging.getLogger(__name__)


class AlertSource(Protocol):
    """Who knows all alerts that fire now."""

    async def firing(self) -> AlertGroup:
        """All of them as one delivery. TemporaryError or PermanentError where it cannot say."""
        ...


class CatchUp:
    """What it fetches goes through the same door as a webhook, so nothing is counted twice."""

    def __init__(
        self,
        *,
        source: AlertSource,
        accept: Callable[[Sequence[AlertGroup]], Awaitable[Receipt]],
        clock: Clock,
    ) -> None:
        self._source = source
        self._accept = accept
        self._clock = clock
        self._wanted = asyncio.Event()
        self._wanted.set()  # a start is the first occasion

    def want(self) -> None:
        """Something was left out: fetch soon."""
        self._wanted.set()

    async def run(self) -> None:
        """Fetch whenever it is wanted, again and again until it worked."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self._fetch()

    async def _fetch(self) -> None:
        for pause in delays(first=timedelta(seconds=1), cap=timedelta(minutes=1)):
            try:
                receipt = await self._accept([await self._source.firing()])
            except HealerError as error:
                _log.warning("could not catch up with Alertmanager: %s", error)
            except Exception:  # noqa: BLE001 - what comes by webhook must not suffer from it
                _log.exception("could not catch up with Alertmanager")
            else:
                _log.info("caught up with Alertmanager: %s", receipt)
                return
            await self._clock.sleep(pause)
