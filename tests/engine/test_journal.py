"""Decisions hold only upon what was seen; how far people have been told is no part of that."""

import pytest

from healer.engine.journal import Journal
from healer.errors import ConflictError
from healer.model.event import (
    Diagnosed,
    Event,
    IncidentId,
    IncidentKey,
    NothingMatched,
    NoticeSent,
    NoticeStarted,
    Opened,
)
from healer.timeline.memory import MemoryTimeline
from tests.fakes.clock import LoopClock
from tests.fakes.house import WORKLOAD

pytestmark = pytest.mark.looptime

ID = IncidentId("inc-1")
KEY = IncidentKey(service="api", playbook="DISK", target=WORKLOAD)
TELLING = (
    NoticeStarted(channel="slack", through=1),
    NoticeSent(channel="slack", through=1, ref="C1:1"),
)


async def opened() -> Journal:
    journal = Journal(timeline=MemoryTimeline(), clock=LoopClock())
    await journal.record(ID, Opened(key=KEY, severity="critical"))
    return journal


async def decide_after(*meanwhile: Event) -> Journal:
    journal = await opened()
    seen = journal.get(ID)
    assert seen is not None
    await journal.record(ID, *meanwhile)
    await journal.decide(seen, Diagnosed(findings=()))
    return journal


async def test_a_decision_is_refused_where_something_happened_since_the_caller_looked() -> None:
    with pytest.raises(ConflictError):
        await decide_after(NothingMatched(reason="other"))


async def test_a_notice_sent_meanwhile_makes_no_decision_stale() -> None:
    journal = await decide_after(*TELLING)
    kinds = [type(entry.event) for entry in await journal.entries(ID)]
    assert kinds == [Opened, NoticeStarted, NoticeSent, Diagnosed]


async def test_a_notice_does_not_hide_what_happened_before_it() -> None:
    with pytest.raises(ConflictError):
        await decide_after(NothingMatched(reason="other"), *TELLING)
