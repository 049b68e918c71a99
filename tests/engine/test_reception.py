"""Deliveries become lines: joined, told apart, repeated in vain, durable before answered."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from healer.errors import TimelineError
from healer.model.event import AlertsReceived, SeverityRaised
from healer.model.incident import IncidentState
from healer.model.matcher import Matcher, MatchOp
from healer.model.outcome import Decision
from healer.model.receipt import Receipt
from healer.model.service import Severity
from healer.timeline.memory import MemoryTimeline
from tests.fakes.clock import START
from tests.fakes.disk import FakeGuard
from tests.fakes.house import PLAYBOOK, SERVICE, House, alert, group
from tests.fakes.mortal import MortalTimeline

pytestmark = pytest.mark.looptime


def held() -> House:
    return House(guard=FakeGuard(says=[Decision.HOLD] * 100_000))


async def test_alerts_that_lead_to_the_same_place_join_one_incident() -> None:
    async with held().life() as house:
        first = await house.accept([group(alert(pod="a"), alert(pod="b"))])
        second = await house.accept([group(alert(pod="c"))])
        assert first == Receipt(opened=1)
        assert second == Receipt(joined=1)
        assert len(house.incident.alerts) == 3


async def test_a_repeated_delivery_changes_nothing() -> None:
    async with held().life() as house:
        await house.accept([group(alert())])
        await asyncio.sleep(1)
        before = house.incident.seq
        for _ in range(5):
            assert await house.accept([group(alert())]) == Receipt(repeated=1)
        assert house.incident.seq == before


async def test_the_same_delivery_twice_at_once_opens_one_incident() -> None:
    async with held().life() as house:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(20):
                tasks.create_task(house.accept([group(alert())]))
        received = [one for one in await house.events() if isinstance(one, AlertsReceived)]
        assert len(received) == 1


async def test_a_mixed_group_does_both() -> None:
    async with held().life() as house:
        await house.accept([group(alert(pod="a"))])
        receipt = await house.accept([group(alert(pod="a", resolved=True), alert(pod="b"))])
        assert receipt == Receipt(joined=1, resolved=1)
        assert [one.labels["pod"] for one in house.incident.firing] == ["b"]


async def test_a_late_copy_of_what_has_resolved_does_not_fire_again() -> None:
    async with held().life() as house:
        await house.accept([group(alert(pod="a"), alert(pod="b"))])
        await house.accept([group(alert(pod="a", resolved=True))])
        assert await house.accept([group(alert(pod="a"))]) == Receipt(repeated=1)
        assert len(house.incident.firing) == 1
        again = alert(pod="a", at=START + timedelta(minutes=5))
        assert await house.accept([group(again)]) == Receipt(joined=1)
        assert len(house.incident.firing) == 2


async def test_what_is_nobodys_is_counted_and_costs_nothing() -> None:
    async with held().life() as house:
        strange = replace(alert(), labels={"alertname": "Watchdog"})
        assert await house.accept([group(strange)]) == Receipt(unmatched=1)
        assert house.incidents == ()


async def test_an_alert_of_ours_without_a_playbook_is_told_and_closed_when_it_resolves() -> None:
    async with held().life() as house:
        await house.accept([group(alert("Unheard"))])
        await asyncio.sleep(1)
        assert await house.story() == ["Opened", "AlertsReceived", "NothingMatched"]
        await house.accept([group(alert("Unheard", resolved=True))])
        await asyncio.sleep(1)
        assert house.incident.state is IncidentState.CLOSED


async def test_a_resolved_alert_that_nobody_knows_opens_nothing() -> None:
    async with held().life() as house:
        assert await house.accept([group(alert(resolved=True))]) == Receipt(repeated=1)
        assert house.incidents == ()


OLDER = replace(
    PLAYBOOK,
    name="DISK-STUCK",
    match=((*PLAYBOOK.match[0], Matcher(label="stuck", op=MatchOp.EQUAL, value="true")),),
    joins=("DISK",),
)
YOUNGER = replace(PLAYBOOK, joins=("DISK-STUCK",))


def both() -> House:
    house = held()
    house.playbooks = (YOUNGER, OLDER)
    return house


async def test_trouble_that_has_another_name_by_now_stays_in_its_incident() -> None:
    async with both().life() as house:
        await house.accept([group(alert())])
        assert await house.accept([group(alert(stuck="true"))]) == Receipt(joined=1)
        assert house.incident.key is not None
        assert house.incident.key.playbook == "DISK"
        assert len(house.incident.firing) == 2
        over = alert(stuck="true", resolved=True)
        assert await house.accept([group(over)]) == Receipt(resolved=1)
        assert len(house.incident.firing) == 1


async def test_both_names_in_one_delivery_are_one_incident_whichever_comes_first() -> None:
    async with both().life() as house:
        delivery = group(alert(stuck="true"), alert())
        assert await house.accept([delivery]) == Receipt(opened=1, joined=0)
        assert house.incident.key is not None
        assert house.incident.key.playbook == "DISK-STUCK"
        assert len(house.incident.firing) == 2


async def test_nobody_joins_an_incident_that_was_never_opened() -> None:
    async with both().life() as house:
        delivery = group(alert(stuck="true", resolved=True), alert())
        assert await house.accept([delivery]) == Receipt(opened=1, repeated=1)
        assert house.incident.key is not None
        assert house.incident.key.playbook == "DISK"


async def test_nobody_joins_an_incident_that_is_closed() -> None:
    async with both().life() as house:
        await house.accept([group(alert())])
        await house.accept([group(alert(resolved=True))])
        await asyncio.sleep(30)
        assert await house.accept([group(alert(stuck="true"))]) == Receipt(opened=1)
        assert [one.key.playbook for one in house.incidents if one.key] == ["DISK", "DISK-STUCK"]


async def test_the_answer_comes_after_the_record() -> None:
    timeline = MortalTimeline(inner=MemoryTimeline(), dies_at=1, written=False)
    async with House(timeline=timeline).life() as house:
        accepting = asyncio.ensure_future(house.accept([group(alert())]))
        await asyncio.sleep(60)
        assert not accepting.done()
        accepting.cancel()


class FullTimeline(MemoryTimeline):
    """Its disk is full until told otherwise."""

    full = True

    async def append(self, drafts, *, of=()):  # type: ignore[no-untyped-def]  # as in MemoryTimeline
        if self.full:
            raise TimelineError("disk full")
        return await super().append(drafts, of=of)


async def test_what_could_not_be_recorded_is_refused_and_may_come_again() -> None:
    timeline = FullTimeline()
    async with House(timeline=timeline).life() as house:
        with pytest.raises(TimelineError, match="disk full"):
            await house.accept([group(alert())])
        assert house.incidents == ()
        timeline.full = False
        assert await house.accept([group(alert())]) == Receipt(opened=1)


async def test_deliveries_that_arrive_together_share_one_append() -> None:
    timeline = MortalTimeline(inner=MemoryTimeline())
    playbooks = [replace(PLAYBOOK, target="production/pod/{{ alert.labels.pod }}")]
    house = House(
        timeline=timeline, playbooks=playbooks, guard=FakeGuard(says=[Decision.HOLD] * 9999)
    )
    async with house.life():
        async with asyncio.TaskGroup() as tasks:
            for number in range(200):
                tasks.create_task(house.accept([group(alert(pod=f"p{number}"))]))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert len(house.incidents) == 200


SEVERITIES = {
    "critical": Severity(name="P1", pages=True, respond_within=timedelta(minutes=15)),
    "high": Severity(name="P2", pages=True, respond_within=timedelta(hours=1)),
    "warning": Severity(name="P3", pages=False, respond_within=timedelta(hours=4)),
}


def graded() -> House:
    house = held()
    house.services = [replace(SERVICE, severities=SEVERITIES)]
    return house


async def test_an_incident_is_as_severe_as_the_worst_alert_that_opens_it() -> None:
    async with graded().life() as house:
        milder, worse = alert(pod="a", severity="warning"), alert(pod="b", severity="critical")
        await house.accept([group(milder, worse)])
        assert house.incident.severity == "P1"


@pytest.mark.parametrize(("joins", "raised"), [("high", ["P2"]), ("warning", []), ("odd", [])])
async def test_a_worse_alert_that_joins_raises_the_severity(joins: str, raised: list[str]) -> None:
    async with graded().life() as house:
        await house.accept([group(alert(pod="a", severity="warning"))])
        await house.accept([group(alert(pod="b", severity=joins))])
        found = [one.severity for one in await house.events() if isinstance(one, SeverityRaised)]
        assert found == raised
        assert house.incident.severity == (raised or ["P3"])[-1]


async def test_the_severity_is_raised_once_and_never_lowered() -> None:
    async with graded().life() as house:
        worse = alert(pod="b", severity="critical")
        await house.accept([group(alert(pod="a", severity="warning")), group(worse), group(worse)])
        await house.accept([group(alert(pod="b", severity="critical", resolved=True))])
        await house.accept([group(alert(pod="c", severity="high"))])
        found = [one.severity for one in await house.events() if isinstance(one, SeverityRaised)]
        assert found == ["P1"]
        assert house.incident.severity == "P1"
