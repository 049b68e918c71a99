"""PagerDuty, over HTTP, against the lab's server."""

import asyncio
import logging
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from healer.errors import RejectedError, TemporaryError, UnavailableError
from healer.kit.clock import SystemClock
from healer.lab.outage import Mode
from healer.lab.pagerduty.server import PagerDutyServer
from healer.model.event import Ending
from healer.model.service import Severity
from healer.notify.pagerduty import PagerDutyNotifier
from healer.notify.pagerduty_call import Access, PagerDutyCall
from tests.fakes import story
from tests.fakes.story import Story

SOON = timedelta(milliseconds=20)


@pytest.fixture
async def pagerduty() -> AsyncIterator[PagerDutyServer]:
    async with PagerDutyServer() as server:
        yield server


def access(server: PagerDutyServer, *, token: str | None = None, read: float = 2.0) -> Access:
    return Access(
        token=server.token if token is None else token,
        sender="healer@example.com",
        events_url=server.url,
        api_url=server.url,
        read=timedelta(seconds=read),
    )


@pytest.fixture
async def notifier(pagerduty: PagerDutyServer) -> AsyncIterator[PagerDutyNotifier]:
    call = PagerDutyCall(access(pagerduty))
    yield PagerDutyNotifier(call=call, clock=SystemClock(), settle=SOON)
    await call.close()


async def tell(notifier: PagerDutyNotifier, tale: Story, *, unsure: bool = False) -> None:
    notice = tale.notice(unsure=unsure)
    assert notifier.concerns(notice)
    tale.sent(await notifier.notify(notice))


def notes(server: PagerDutyServer, incident: int = 0) -> list[str]:
    return [note["content"] for note in server.incidents[incident].notes]


async def test_an_incident_is_triggered_acknowledged_annotated_and_resolved(
    pagerduty: PagerDutyServer, notifier: PagerDutyNotifier
) -> None:
    tale = Story(story.opened(), story.received())
    await tell(notifier, tale)
    incident = pagerduty.incidents[0]
    assert (incident.key, incident.status) == ("inc-1", "triggered")
    assert incident.payload["severity"] == "critical"
    assert incident.payload["source"] == "production/deployment/inference"
    assert "CircuitBreakerOpen on inference" in incident.payload["summary"]

    await tell(notifier, tale.then(story.chosen(), story.started()))
    assert incident.status == "acknowledged"
    assert notes(pagerduty) == ["03:12:03Z  Chosen: restart: the breaker is open.\n[healer #3]"]

    await tell(notifier, tale.then(story.finished(), story.verified()))
    assert "Healed, verified: error rate 0.1%." in notes(pagerduty)[1]
    await tell(notifier, tale.then(story.closed()))
    assert incident.status == "resolved"
    assert len(pagerduty.incidents) == 1
    assert pagerduty.pages == ["inc-1"]


async def test_what_neither_pages_nor_is_escalated_is_no_concern(
    pagerduty: PagerDutyServer, notifier: PagerDutyNotifier
) -> None:
    tale = Story(story.opened("warning"), story.received(), story.chosen(), story.started())
    assert not notifier.concerns(tale.notice())
    await tell(notifier, tale.then(story.escalated()))
    assert pagerduty.incidents[0].status == "triggered"
    assert "team-inference has it" in pagerduty.incidents[0].payload["summary"]


async def test_a_worse_alert_that_joins_wakes_somebody_once(
    pagerduty: PagerDutyServer, notifier: PagerDutyNotifier
) -> None:
    tale = Story(story.opened("warning"), story.received())
    assert not notifier.concerns(tale.notice())
    await tell(notifier, tale.then(story.raised()))
    assert pagerduty.pages == ["inc-1"]
    assert pagerduty.incidents[0].status == "triggered"
    await tell(notifier, tale.then(story.started()))
    assert pagerduty.incidents[0].status == "acknowledged"


async def test_a_worse_alert_that_joins_while_healer_acts_is_acknowledged_by_it(
    pagerduty: PagerDutyServer, notifier: PagerDutyNotifier
) -> None:
    tale = Story(story.opened("warning"), story.received(), story.started())
    await tell(notifier, tale.then(story.raised()))
    assert pagerduty.pages == ["inc-1"]
    assert pagerduty.incidents[0].status == "acknowledged"
    await tell(notifier, tale.then(story.escalated()))
    assert pagerduty.pages == ["inc-1", "inc-1/escalated"]


async def test_a_worse_alert_that_joins_what_a_person_has_by_now_makes_one_page(
    pagerduty: PagerDutyServer, notifier: PagerDutyNotifier
) -> None:
    tale = Story(story.opened("warning"), story.received(), story.started())
    await tell(notifier, tale.then(story.raised(), story.escalated()))
    assert pagerduty.pages == ["inc-1"]
    assert pagerduty.incidents[0].status == "triggered"


async def test_a_service_without_a_routing_key_is_no_concern(notifier: PagerDutyNotifier) -> None:
    tale = Story(story.opened(), at=story.service(routing_key=""))
    assert not notifier.concerns(tale.notice())


async def test_a_rehearsed_step_acknowledges_nothing(
    pagerduty: PagerDutyServer, notifier: PagerDutyNotifier
) -> None:
    await tell(notifier, Story(story.opened(), story.started(dry_run=True)))
    assert pagerduty.incidents[0].status == "triggered"


async def test_an_escalation_after_the_acknowledgement_wakes_somebody(
    pagerduty: PagerDutyServer, notifier: PagerDutyNotifier
) -> None:
    """PagerDuty calls nobody for a trigger of an acknowledged incident: it needs one of its own."""
    tale = Story(story.opened(), story.received())
    await tell(notifier, tale)
    await tell(notifier, tale.then(story.started()))
    await tell(notifier, tale.then(story.finished(), story.escalated()))
    assert pagerduty.pages == ["inc-1", "inc-1/escalated"]
    assert "Escalated to team-inference" in notes(pagerduty, 1)[0]
    await tell(notifier, tale.then(story.closed(Ending.RESOLVED)))
    assert [incident.status for incident in pagerduty.incidents] == ["resolved", "resolved"]


async def test_an_escalation_that_nobody_acknowledged_stays_one_incident(
    pagerduty: PagerDutyServer, notifier: PagerDutyNotifier
) -> None:
    tale = Story(story.opened(), story.received())
    await tell(notifier, tale)
    await tell(notifier, tale.then(story.started(), story.escalated()))
    assert pagerduty.pages == ["inc-1"]
    assert pagerduty.incidents[0].status == "triggered"


async def test_what_pages_is_known_by_the_name_that_the_service_gives_it(
    pagerduty: PagerDutyServer, notifier: PagerDutyNotifier
) -> None:
    first = Severity(name="P1", pages=True, respond_within=timedelta(minutes=15))
    service = replace(story.service(), severities={"critical": first})
    tale = Story(story.opened("P1"), story.received())
    await notifier.notify(replace(tale.notice(), service=service))
    assert pagerduty.incidents[0].payload["severity"] == "critical"


@pytest.mark.parametrize("severity", ["critical", "warning"])
async def test_an_escalation_whose_answer_was_lost_calls_once(
    pagerduty: PagerDutyServer, notifier: PagerDutyNotifier, severity: str
) -> None:
    tale = Story(story.opened(severity), story.received(), story.started(), story.escalated())
    pagerduty.fail("reset-after")
    with pytest.raises(UnavailableError):
        await notifier.notify(tale.notice())
    await tell(notifier, tale, unsure=True)
    assert pagerduty.pages == ["inc-1"]


async def test_a_lost_answer_to_the_second_page_does_not_make_a_third(
    pagerduty: PagerDutyServer, notifier: PagerDutyNotifier
) -> None:
    tale = Story(story.opened(), story.started())
    await tell(notifier, tale)
    pagerduty.fail("reset-after")
    with pytest.raises(UnavailableError):
        await notifier.notify(tale.then(story.escalated()).notice())
    await tell(notifier, tale, unsure=True)
    assert pagerduty.pages == ["inc-1", "inc-1/escalated"]


async def test_what_is_over_before_it_was_told_wakes_nobody(notifier: PagerDutyNotifier) -> None:
    tale = Story(story.opened(), story.received(), story.closed(Ending.RESOLVED))
    assert not notifier.concerns(tale.notice())


@pytest.mark.parametrize("end", [Ending.CANCELLED, Ending.REHEARSED])
async def test_a_page_stays_open_where_healer_stops_and_alerts_still_fire(
    pagerduty: PagerDutyServer, notifier: PagerDutyNotifier, end: Ending
) -> None:
    tale = Story(story.opened(), story.received())
    await tell(notifier, tale)
    assert not notifier.concerns(tale.then(story.closed(end)).notice())
    assert pagerduty.incidents[0].open


async def test_it_is_resolved_where_healer_stops_and_nothing_fires(
    pagerduty: PagerDutyServer, notifier: PagerDutyNotifier
) -> None:
    tale = Story(story.opened(), story.received())
    await tell(notifier, tale)
    tale.then(story.received(story.alert(firing=False)), story.closed(Ending.CANCELLED))
    await tell(notifier, tale)
    assert not pagerduty.incidents[0].open


@pytest.mark.parametrize("path", ["/v2/enqueue", "/notes"])
async def test_nothing_is_there_twice_after_a_lost_answer(
    pagerduty: PagerDutyServer, notifier: PagerDutyNotifier, path: str
) -> None:
    tale = Story(story.opened(), story.received(), story.chosen(), story.started())
    pagerduty.fail("reset-after", path=path)
    with pytest.raises(UnavailableError):
        await notifier.notify(tale.notice())
    await tell(notifier, tale.then(story.finished()), unsure=True)
    assert pagerduty.pages == ["inc-1"]
    whole = "\n".join(notes(pagerduty))
    assert whole.count("Chosen: restart") == 1
    assert whole.count("restart done") == 1


async def test_a_lost_resolve_is_sent_again_and_wakes_nobody_anew(
    pagerduty: PagerDutyServer, notifier: PagerDutyNotifier
) -> None:
    tale = Story(story.opened(), story.received())
    pagerduty.fail("reset-after")
    with pytest.raises(UnavailableError):
        await notifier.notify(tale.notice())
    await tell(notifier, tale.then(story.verified(), story.closed()), unsure=True)
    assert pagerduty.pages == ["inc-1"]
    assert not pagerduty.incidents[0].open


async def test_too_many_requests_cost_one_request_and_carry_their_retry_after(
    pagerduty: PagerDutyServer, notifier: PagerDutyNotifier
) -> None:
    """pdpyras alone would sleep and try for ever."""
    pagerduty.fail(429, times=100)
    with pytest.raises(TemporaryError) as caught:
        await notifier.notify(Story(story.opened()).notice())
    assert caught.value.retry_after == timedelta(seconds=1)
    assert len(pagerduty.requests) == 1


@pytest.mark.parametrize("mode", [500, 502, 503, 504, "garbage", "reset"])
async def test_what_makes_no_sense_is_unavailable_after_one_request(
    pagerduty: PagerDutyServer, notifier: PagerDutyNotifier, mode: Mode
) -> None:
    pagerduty.fail(mode, times=100)
    with pytest.raises(UnavailableError):
        await notifier.notify(Story(story.opened()).notice())
    assert len(pagerduty.requests) == 1


async def test_a_server_that_hangs_neither_holds_the_caller_nor_the_loop(
    pagerduty: PagerDutyServer,
) -> None:
    pagerduty.fail("hang")
    call = PagerDutyCall(access(pagerduty, read=1.0))
    notifier = PagerDutyNotifier(call=call, clock=SystemClock())
    lags: list[float] = []

    async def feel(stop: asyncio.Event) -> None:
        while not stop.is_set():
            before = time.perf_counter()
            await asyncio.sleep(0.005)
            lags.append(time.perf_counter() - before)

    stop, began = asyncio.Event(), time.perf_counter()
    async with asyncio.TaskGroup() as group:
        group.create_task(feel(stop))
        with pytest.raises(UnavailableError):
            await notifier.notify(Story(story.opened()).notice())
        stop.set()
    took = time.perf_counter() - began
    await call.close()
    assert took < 8
    assert len(lags) > 10
    assert max(lags) < took / 2  # waiting on the loop would have been one lag of the whole time


async def test_a_rejected_event_says_why_and_keeps_the_key_to_itself(
    pagerduty: PagerDutyServer, notifier: PagerDutyNotifier, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = "f" * 32
    tale = Story(story.opened(), at=story.service(routing_key=key))
    with pytest.raises(RejectedError, match=r"Invalid routing key") as caught:
        await notifier.notify(tale.notice())
    assert key not in str(caught.value)
    assert key not in caplog.text


async def test_a_wrong_token_costs_the_notes_and_not_the_page(
    pagerduty: PagerDutyServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    call = PagerDutyCall(access(pagerduty, token="u+very-secret-token"))
    notifier = PagerDutyNotifier(call=call, clock=SystemClock(), settle=SOON)
    tale = Story(story.opened(), story.chosen())
    await tell(notifier, tale)
    await tell(notifier, tale.then(story.verified(), story.closed()))
    await call.close()
    assert pagerduty.incidents[0].status == "resolved"
    assert notes(pagerduty) == []
    assert "PagerDuty takes no notes" in caplog.text
    assert "very-secret" not in caplog.text
    assert "very-secret" not in repr(call) + repr(access(pagerduty, token="u+very-secret"))


async def test_without_a_token_there_are_pages_and_no_notes(pagerduty: PagerDutyServer) -> None:
    call = PagerDutyCall(access(pagerduty, token=""))
    notifier = PagerDutyNotifier(call=call, clock=SystemClock())
    tale = Story(story.opened())
    await tell(notifier, tale)
    assert not notifier.concerns(tale.then(story.chosen()).notice())
    await call.close()
    assert [path for _, path in pagerduty.requests] == ["/v2/enqueue"]


async def test_notes_wait_for_an_incident_that_pagerduty_is_still_making() -> None:
    async with PagerDutyServer(lag=0.1) as slow:
        call = PagerDutyCall(access(slow))
        settle = timedelta(milliseconds=150)
        notifier = PagerDutyNotifier(call=call, clock=SystemClock(), settle=settle)
        await tell(notifier, Story(story.opened(), story.chosen()))
        await call.close()
        assert len(notes(slow)) == 1


async def test_long_and_hostile_alerts_are_taken(
    pagerduty: PagerDutyServer, notifier: PagerDutyNotifier
) -> None:
    evil = "<!channel> \x00\x1b[31m\u202e" + "x" * 700_000
    tale = Story(
        story.opened(), story.received(story.alert(evil, summary=evil)), story.chosen(evil)
    )
    await tell(notifier, tale)
    assert len(pagerduty.incidents[0].payload["summary"]) <= 1024
    assert "\x1b" not in pagerduty.render()
    assert "\u202e" not in pagerduty.render()


def test_importing_it_warns_of_nothing_and_hides_no_other_warning() -> None:
    program = (
        "import warnings\n"
        "import healer.notify.pagerduty\n"
        "try:\n"
        "    warnings.warn('something else', UserWarning)\n"
        "except UserWarning:\n"
        "    print('still seen')\n"
    )
    command = [sys.executable, "-W", "error::UserWarning", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.stdout.strip() == "still seen", done.stderr
