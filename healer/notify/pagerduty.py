"""PagerDuty: wakes a person, says that healer has it, keeps notes, and says when it is over.

What to tell is decided in `pagerduty_plan`. Events may be sent twice; notes are looked up first.
"""

import logging
import re
from datetime import timedelta
from typing import assert_never

from healer.errors import RejectedError
from healer.kit.clock import Clock
from healer.notify.contract import Notice
from healer.notify.pagerduty_call import PagerDutyCall
from healer.notify.pagerduty_plan import (
    Acknowledge,
    Annotate,
    Call,
    Resolve,
    Trigger,
    main_key,
    note_pages,
    plan,
)

_LOG = logging.getLogger(__name__)
_MARK = re.compile(r"\[healer #(\d+)\]\s*\Z")
_LOOKS = 3


class PagerDutyNotifier:
    """A channel called `pagerduty`. `ref` is the dedup key."""

    def __init__(
        self, *, call: PagerDutyCall, clock: Clock, settle: timedelta = timedelta(seconds=2)
    ) -> None:
        self._call = call
        self._clock = clock
        self._settle = settle  # events are processed behind their 202: notes may be too early

    @property
    def channel(self) -> str:
        """Its name in the timeline."""
        return "pagerduty"

    def concerns(self, notice: Notice) -> bool:
        """Is anybody to be woken, calmed or informed there?"""
        return bool(notice.service.pagerduty_key) and bool(self._plan(notice))

    async def notify(self, notice: Notice) -> str:
        """Make the calls, in order."""
        for call in self._plan(notice):
            await self._make(call, notice)
        return main_key(notice.incident)

    def _plan(self, notice: Notice) -> list[Call]:
        calls = plan(notice)
        if self._call.annotates:
            return calls
        return [call for call in calls if not isinstance(call, Annotate)]

    async def _make(self, call: Call, notice: Notice) -> None:
        routing_key = notice.service.pagerduty_key
        match call:
            case Trigger():
                payload = {
                    "summary": call.summary,
                    "source": call.source,
                    "severity": call.severity,
                    "custom_details": dict(call.details),
                }
                await self._call.event(
                    routing_key, "trigger", call.key, payload=payload, client="healer"
                )
            case Acknowledge():
                await self._call.event(routing_key, "acknowledge", call.key)
            case Resolve():
                await self._call.event(routing_key, "resolve", call.key)
            case Annotate():
                await self._annotate(call, unsure=notice.unsure)
            case _:
                assert_never(call)

    async def _annotate(self, call: Annotate, *, unsure: bool) -> None:
        """Notes are an extra: where they cannot be written, that is logged, and the rest stands."""
        try:
            incident = await self._find(call.keys)
            if incident is None:
                _LOG.warning("PagerDuty has no incident %s, its notes are left out", call.keys[-1])
                return
            told = await self._told(incident) if unsure else 0
            for text, through in note_pages(call.entries, after=told):
                await self._call.annotate(incident, f"{text}\n[healer #{through}]")
        except RejectedError as error:
            _LOG.warning("PagerDuty takes no notes: %s", error)

    async def _find(self, keys: tuple[str, ...]) -> str | None:
        for look in range(_LOOKS):
            if look:
                await self._clock.sleep(self._settle)
            for key in keys:
                found = await self._call.find(key)
                if found is not None:
                    return found
        return None

    async def _told(self, incident: str) -> int:
        marks = [_MARK.search(note) for note in await self._call.notes(incident)]
        return max((int(mark.group(1)) for mark in marks if mark), default=0)
