"""Tell every channel what it has not been told. Folded from the same entries as everything else.

A channel that is away delays nothing but itself. `NoticeStarted` is on disk before a channel is
asked, so that after a crash the channel can be looked at before anything is posted again.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta

from healer.engine.catalog import Catalog
from healer.engine.journal import Journal
from healer.errors import ConflictError, PermanentError, TemporaryError
from healer.kit.clock import Clock
from healer.kit.retry import delays
from healer.kit.task import Crew
from healer.model.event import (
    Archived,
    IncidentId,
    NoticeDropped,
    NoticeSent,
    NoticeStarted,
)
from healer.model.incident import Telling
from healer.notify.contract import Notice, Notifier

_log = logging.getLogger(__name__)
_OWN = (NoticeStarted, NoticeSent, NoticeDropped, Archived)
"""Lines about telling are not told."""


class Outbox:
    """One worker for each channel and incident; all read the same timeline."""

    def __init__(
        self,
        *,
        journal: Journal,
        catalog: Catalog,
        clock: Clock,
        notifiers: Sequence[Notifier],
    ) -> None:
        self._journal = journal
        self._catalog = catalog
        self._clock = clock
        self._notifiers: Mapping[str, Notifier] = {one.channel: one for one in notifiers}
        # Each channel has its own workers: those that wait for one must not keep another silent.
        self._crews: Mapping[str, Crew[tuple[str, IncidentId]]] = {
            channel: Crew(self._work, clock=clock, limit=16) for channel in self._notifiers or ("",)
        }

    def wake(self, incident: IncidentId) -> None:
        """It has new lines."""
        for channel, crew in self._crews.items():
            crew.wake((channel, incident))

    async def run(self) -> None:
        """Tell until cancelled."""
        async with asyncio.TaskGroup() as group:
            for crew in self._crews.values():
                group.create_task(crew.run())

    async def _work(self, key: tuple[str, IncidentId]) -> None:
        channel, incident_id = key
        if notifier := self._notifiers.get(channel):
            await self._tell_all(notifier, incident_id)
        await self._archive(incident_id)

    async def _tell_all(self, notifier: Notifier, incident_id: IncidentId) -> None:
        pauses = delays(first=timedelta(seconds=1), cap=timedelta(minutes=1))
        while (notice := await self._due(notifier, incident_id)) is not None:
            try:
                await self._tell(notifier, notice)
            except TemporaryError as error:
                _log.warning("%s is not told yet: %s", notifier.channel, error)
                await self._clock.sleep(error.retry_after or next(pauses))
            else:
                pauses = delays(first=timedelta(seconds=1), cap=timedelta(minutes=1))

    async def _tell(self, notifier: Notifier, notice: Notice) -> None:
        incident, channel = notice.incident.id, notifier.channel
        if not notice.unsure:
            started = NoticeStarted(channel=channel, through=notice.through)
            await self._journal.record(incident, started)
        try:
            ref = await notifier.notify(notice)
        except PermanentError as error:
            dropped = NoticeDropped(channel=channel, through=notice.through, reason=str(error))
            await self._journal.record(incident, dropped)
            return
        sent = NoticeSent(channel=channel, through=notice.through, ref=ref)
        await self._journal.record(incident, sent)

    async def _due(self, notifier: Notifier, incident_id: IncidentId) -> Notice | None:
        """What the channel has to be told now; a notice that may have arrived stays as it was."""
        incident = self._journal.get(incident_id)
        if incident is None or incident.key is None or incident.archived:
            return None
        service = self._catalog.addressee(incident, incident.key)
        telling = incident.told.get(notifier.channel, Telling())
        entries = await self._journal.entries(incident_id, after=telling.through)
        # While the disk was read more may have happened: those lines belong to a later state.
        last = telling.started if telling.unsure else incident.seq
        lines = [one for one in entries if one.seq <= last and not isinstance(one.event, _OWN)]
        matched = incident.matched
        notice = Notice(
            incident=incident,
            service=service,
            playbook=self._catalog.find(matched.playbook, matched.digest) if matched else None,
            entries=lines,
            ref=telling.ref,
            unsure=telling.unsure,
        )
        return notice if lines and notifier.concerns(notice) else None

    async def _archive(self, incident_id: IncidentId) -> None:
        incident = self._journal.get(incident_id)
        if incident is None or incident.closed is None or incident.archived:
            return
        if incident.run.in_flight is not None:
            return  # its end is to be written and told as well
        for notifier in self._notifiers.values():
            if await self._due(notifier, incident_id) is not None:
                return
        try:
            await self._journal.decide(incident, Archived())
        except ConflictError:
            self.wake(incident_id)
