"""Decisions hold only upon what was seen, and guards are shown what matters to them."""

import asyncio
from dataclasses import replace

import pytest

from healer.engine.journal import Journal
from healer.errors import ConflictError
from healer.guard.contract import MEMORY
from healer.model.event import (
    Archived,
    Closed,
    Diagnosed,
    Ending,
    Event,
    IncidentId,
    IncidentKey,
    Moment,
    NothingMatched,
    NoticeSent,
    NoticeStarted,
    Opened,
    StepStarted,
    Verified,
)
from healer.model.playbook import StepId
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


SIBLING = replace(KEY, playbook="MEMORY")
OTHER = replace(WORKLOAD, name="elsewhere")
ACTING = StepStarted(step=StepId("restart"), action="k8s.restart", attempt=1, params={})


async def with_another(*events: Event, key: IncidentKey = SIBLING) -> Journal:
    journal = await opened()
    await journal.record(IncidentId("inc-2"), Opened(key=key, severity="critical"), *events)
    return journal


def beside(journal: Journal) -> list[str]:
    return [one.id for one in journal.beside(ID, WORKLOAD)]


async def test_a_guard_is_shown_the_others_on_its_target_whatever_they_do() -> None:
    assert beside(await with_another()) == ["inc-2"]
    ended = Closed(ending=Ending.HEALED, reason="calm")
    assert beside(await with_another(ACTING, ended)) == ["inc-2"]


async def test_of_those_elsewhere_a_guard_is_shown_only_who_acts_now() -> None:
    elsewhere = replace(KEY, target=OTHER)
    seen = Verified(moment=Moment.AFTER, healed=True, reason="calm")
    assert beside(await with_another(key=elsewhere)) == []
    assert beside(await with_another(ACTING, key=elsewhere)) == ["inc-2"]
    assert beside(await with_another(ACTING, seen, key=elsewhere)) == []


async def test_what_is_forgotten_is_shown_to_no_guard() -> None:
    ended = Closed(ending=Ending.HEALED, reason="calm")
    journal = await with_another(ACTING, ended, Archived())
    await asyncio.sleep(MEMORY.total_seconds() + 1)
    journal.forget_old()
    assert journal.get(IncidentId("inc-2")) is None
    assert beside(journal) == []
