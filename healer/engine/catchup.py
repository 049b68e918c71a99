"""Fetch what webhooks did not bring: at every start, after a truncated delivery, and now and then.

A resolved notice is sent once: if healer was away just then, Alertmanager drops it for good. So
alerts that it has not had for two looks in a row count as resolved. Two, for after a restart of its
own it knows nothing until Prometheus has told it again.

What is silenced or inhibited opens nothing, as no webhook would have brought it; but it does fire,
so it does not count as resolved either.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from healer.errors import HealerError
from healer.kit.clock import Clock
from healer.kit.retry import delays
from healer.model.alert import Alert, AlertGroup, AlertStatus, Fingerprint, Firing
from healer.model.receipt import Receipt

EVERY = timedelta(minutes=5)
"""By default; longer than Prometheus takes to send an alert again (a minute by default)."""

_log = logging.getLogger(__name__)


class AlertSource(Protocol):
    """Who knows all alerts that fire now."""

    async def firing(self) -> Firing:
        """TemporaryError or PermanentError where it cannot say."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Who is asked for what was missed, and how often."""

    source: AlertSource
    every: timedelta = EVERY


class CatchUp:
    """What it fetches goes through the same door as a webhook, so nothing is counted twice."""

    def __init__(
        self,
        *,
        asking: Asking,
        known: Callable[[], Iterable[Alert]],
        accept: Callable[[Sequence[AlertGroup]], Awaitable[Receipt]],
        clock: Clock,
    ) -> None:
        self._every = asking.every
        self._source = asking.source
        self._known = known
        self._accept = accept
        self._clock = clock
        self._missed: frozenset[Fingerprint] = frozenset()
        self._wanted = asyncio.Event()
        self._wanted.set()  # a start is the first occasion

    def want(self) -> None:
        """Something was left out: fetch soon."""
        self._wanted.set()

    async def run(self) -> None:
        """Fetch whenever it is wanted, and every so often, again and again until it worked."""
        while True:
            try:
                async with asyncio.timeout(self._every.total_seconds()):
                    await self._wanted.wait()
            except TimeoutError:
                await self._fetch(resolve=True)
            else:
                self._wanted.clear()
                await self._fetch(resolve=False)

    async def _fetch(self, *, resolve: bool) -> None:
        for pause in delays(first=timedelta(seconds=1), cap=timedelta(minutes=1)):
            try:
                firing = await self._source.firing()
                group = self._with_resolved(firing) if resolve else firing.told
                receipt = await self._accept([group])
            except HealerError as error:
                _log.warning("could not catch up with Alertmanager: %s", error)
            except Exception:  # noqa: BLE001 - what comes by webhook must not suffer from it
                _log.exception("could not catch up with Alertmanager")
            else:
                _log.info("caught up with Alertmanager: %s", receipt)
                return
            await self._clock.sleep(pause)

    def _with_resolved(self, firing: Firing) -> AlertGroup:
        group = firing.told
        there = firing.muted | {alert.fingerprint for alert in group.alerts}
        missing = [alert for alert in self._known() if alert.fingerprint not in there]
        gone = [alert for alert in missing if alert.fingerprint in self._missed]
        self._missed = frozenset(alert.fingerprint for alert in missing)
        now = self._clock.now()
        resolved = (replace(one, status=AlertStatus.RESOLVED, ends_at=now) for one in gone)
        return replace(group, alerts=(*group.alerts, *resolved))
