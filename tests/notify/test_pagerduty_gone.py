"""A service leaves healer.yaml while its incident is open: who is paged then, over HTTP."""

from collections.abc import AsyncIterator

import pytest

from healer.engine.catalog import Catalog
from healer.kit.clock import SystemClock
from healer.lab.pagerduty.server import PagerDutyServer
from healer.model.event import Ending
from healer.notify.pagerduty import PagerDutyNotifier
from healer.notify.pagerduty_call import Access, PagerDutyCall
from tests.fakes import story
from tests.fakes.story import ROUTING_KEY, Story

OWN = "fedcba9876543210fedcba9876543210"
"""The service's own key; ROUTING_KEY is that of the house."""


@pytest.fixture
async def pagerduty() -> AsyncIterator[PagerDutyServer]:
    async with PagerDutyServer(routing_keys=(ROUTING_KEY, OWN)) as server:
        yield server


@pytest.fixture
async def notifier(pagerduty: PagerDutyServer) -> AsyncIterator[PagerDutyNotifier]:
    access = Access(events_url=pagerduty.url, api_url=pagerduty.url)
    call = PagerDutyCall(access)
    yield PagerDutyNotifier(call=call, clock=SystemClock())
    await call.close()


async def tell(notifier: PagerDutyNotifier, tale: Story) -> None:
    notice = tale.notice()
    assert notifier.concerns(notice), "somebody is to be told"
    tale.sent(await notifier.notify(notice))


def no_playbook(_name: str, _digest: str) -> None:
    """There is none."""


async def lose_service(notifier: PagerDutyNotifier, key: str, *, pager: str) -> Story:
    """Paged by `key`; then its service is gone, and healer gives the incident to people."""
    tale = Story(story.opened(), story.received(), at=story.service(routing_key=key))
    await tell(notifier, tale)
    empty = Catalog(
        services={},
        current=tuple,
        find=no_playbook,
        actions={},
        checks={},
        guards={},
        pager=pager,
    )
    tale.service = empty.addressee(tale.incident, story.opened().key)
    return tale.then(story.escalated("its service is gone from here"))


async def test_a_page_of_the_house_stays_one_page_and_is_resolved(
    pagerduty: PagerDutyServer, notifier: PagerDutyNotifier
) -> None:
    tale = await lose_service(notifier, ROUTING_KEY, pager=ROUTING_KEY)
    await tell(notifier, tale)
    assert [one.status for one in pagerduty.incidents] == ["triggered"]
    await tell(notifier, tale.then(story.closed(Ending.RESOLVED)))
    assert [one.status for one in pagerduty.incidents] == ["resolved"]


async def test_who_had_a_key_of_its_own_is_handed_to_the_house(
    pagerduty: PagerDutyServer, notifier: PagerDutyNotifier
) -> None:
    tale = await lose_service(notifier, OWN, pager=ROUTING_KEY)
    await tell(notifier, tale)
    assert len(pagerduty.incidents) == 2, "its own page, and the one of the house"
    assert "its service is gone from here" in str(pagerduty.incidents[-1].payload)


async def test_without_a_key_of_the_house_nobody_is_there_to_page(
    notifier: PagerDutyNotifier,
) -> None:
    tale = await lose_service(notifier, OWN, pager="")
    assert not notifier.concerns(tale.notice())
