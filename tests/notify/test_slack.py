"""Slack, over HTTP, against the lab's server."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from healer.errors import PermanentError, RejectedError, TemporaryError, UnavailableError
from healer.kit.clock import SystemClock
from healer.lab.slack.server import SlackServer
from healer.model.event import Ending, Event, NoticeDropped
from healer.notify.pace import Pace
from healer.notify.slack import SlackNotifier
from healer.notify.slack_call import SlackCall, slack_session
from healer.notify.slack_text import APPROVE, DENY
from tests.fakes import story
from tests.fakes.story import Story

MOMENT = timedelta(milliseconds=1)


@pytest.fixture
async def slack() -> AsyncIterator[SlackServer]:
    async with SlackServer(rate=10_000, burst=1_000) as server:
        yield server


@pytest.fixture
async def notifier(slack: SlackServer) -> AsyncIterator[SlackNotifier]:
    async with slack_session() as session:
        call = SlackCall(token=slack.token, session=session, url=f"{slack.url}/api/")
        yield SlackNotifier(call=call, pace=Pace(clock=SystemClock(), every=MOMENT))


async def tell(notifier: SlackNotifier, tale: Story, *, unsure: bool = False) -> None:
    tale.sent(await notifier.notify(tale.notice(unsure=unsure)))


def texts(slack: SlackServer, thread: int = 0) -> list[str]:
    return [str(message["text"]) for message in slack.threads[thread]]


async def test_an_incident_is_one_message_and_its_lines_are_replies(
    slack: SlackServer, notifier: SlackNotifier
) -> None:
    tale = Story(story.opened(), story.received())
    await tell(notifier, tale)
    await tell(notifier, tale.then(story.chosen(), story.started()))
    await tell(notifier, tale.then(story.finished(), story.verified()))

    assert len(slack.threads) == 1
    parent, *replies = slack.threads[0]
    assert len(replies) == 3  # one for each notice, whatever it tells
    assert "CircuitBreakerOpen on inference" in parent["text"]
    assert replies[1]["text"].splitlines() == [
        "03:12:03Z  Chosen: restart: the breaker is open.",
        "03:12:04Z  Doing restart: deployment.restart (reason=breaker open).",
    ]


async def test_the_parent_is_edited_to_the_present_state(
    slack: SlackServer, notifier: SlackNotifier
) -> None:
    tale = Story(story.opened(), story.received())
    await tell(notifier, tale)
    assert "looking for the cause" in texts(slack)[0]
    await tell(notifier, tale.then(story.started(), story.finished(), story.verified()))
    assert "healed at 03:12:05Z" in texts(slack)[0]
    await tell(notifier, tale.then(story.closed()))
    assert "closed, healed" in texts(slack)[0]
    assert slack.threads[0][0]["edited"]


async def test_the_reference_names_the_parent(slack: SlackServer, notifier: SlackNotifier) -> None:
    ref = await notifier.notify(Story(story.opened()).notice())
    channel, ts = ref.split(":")
    assert (channel, ts) == (slack.channels[0].id, slack.threads[0][0]["ts"])


async def test_a_person_is_asked_with_buttons_and_they_go_away_after_the_answer(
    slack: SlackServer, notifier: SlackNotifier
) -> None:
    tale = Story(story.opened(), story.chosen(), story.asked())
    await tell(notifier, tale)
    buttons = slack.threads[0][0]["blocks"][-1]["elements"]
    assert [(b["action_id"], b["value"]) for b in buttons] == [(APPROVE, "inc-1"), (DENY, "inc-1")]
    await tell(notifier, tale.then(story.started()))
    assert all(block["type"] != "actions" for block in slack.threads[0][0]["blocks"])


@pytest.mark.parametrize("lost", [1, 2])
async def test_nothing_is_posted_twice_after_a_lost_answer(
    slack: SlackServer, notifier: SlackNotifier, lost: int
) -> None:
    """The server stored the message and dropped the connection: of the parent, or of the reply."""
    tale = Story(story.opened(), story.received())
    if lost == 2:
        tale.sent(await notifier.notify(tale.notice()))
        tale.then(story.chosen())
    slack.fail("reset-after", path="chat.postMessage")
    with pytest.raises(UnavailableError):
        await notifier.notify(tale.notice())
    await tell(notifier, tale, unsure=True)

    assert len(slack.threads) == 1
    assert len(texts(slack)) == lost + 1
    assert len(set(texts(slack))) == lost + 1


async def test_lines_that_came_after_a_lost_answer_are_told_once_and_the_others_not_again(
    slack: SlackServer, notifier: SlackNotifier
) -> None:
    tale = Story(story.opened())
    await tell(notifier, tale)
    slack.fail("reset-after", path="chat.postMessage")
    with pytest.raises(UnavailableError):
        await notifier.notify(tale.then(story.chosen()).notice())
    await tell(notifier, tale.then(story.started()), unsure=True)

    whole = "\n".join(texts(slack)[1:])
    assert whole.count("Chosen: restart") == 1
    assert whole.count("Doing restart") == 1


async def test_a_lost_parent_is_found_behind_two_hundred_others(
    slack: SlackServer, notifier: SlackNotifier
) -> None:
    tale = Story(story.opened())
    slack.fail("reset-after", path="chat.postMessage")
    with pytest.raises(UnavailableError):
        await notifier.notify(tale.notice())
    for number in range(230):
        body = {"channel": "incidents", "text": f"chat {number}"}
        slack.channels[0].post(body, at=float(slack.threads[0][0]["ts"]) + 1, bot={"user": "U1"})
    await tell(notifier, tale, unsure=True)
    assert sum("on inference" in thread[0]["text"] for thread in slack.threads) == 1


async def test_an_unsure_notice_that_never_arrived_is_posted(
    slack: SlackServer, notifier: SlackNotifier
) -> None:
    await tell(notifier, Story(story.opened()), unsure=True)
    assert len(texts(slack)) == 2


async def test_a_message_that_somebody_deleted_is_posted_anew(
    slack: SlackServer, notifier: SlackNotifier
) -> None:
    tale = Story(story.opened())
    await tell(notifier, tale)
    slack.channels[0].delete(slack.threads[0][0]["ts"])
    await tell(notifier, tale.then(story.chosen()))
    assert "about to apply restart" in texts(slack)[0]


async def test_too_many_requests_carry_their_retry_after_and_are_not_retried_here() -> None:
    async with SlackServer(rate=0.25, burst=1) as slow, slack_session() as session:
        call = SlackCall(token=slow.token, session=session, url=f"{slow.url}/api/")
        patience = timedelta(seconds=3)
        pace = Pace(clock=SystemClock(), every=MOMENT, patience=patience)
        notifier = SlackNotifier(call=call, pace=pace)
        with pytest.raises(TemporaryError) as caught:
            await notifier.notify(Story(story.opened()).notice())  # the parent goes, the reply not
        assert caught.value.retry_after == timedelta(seconds=4)
        assert len(slow.calls) == 2
        with pytest.raises(TemporaryError) as caught:  # nobody else asks before that time is over
            await notifier.notify(Story(story.opened(), incident="inc-2").notice())
        assert caught.value.retry_after is not None
        assert patience < caught.value.retry_after <= timedelta(seconds=4)
        assert len(slow.calls) == 2


async def test_a_crowd_of_incidents_stays_below_the_rate_of_the_channel() -> None:
    """The real proportions, four times as fast: a busy machine stalls for a tenth of a second."""
    async with SlackServer(rate=4, burst=4) as slow, slack_session() as session:
        call = SlackCall(token=slow.token, session=session, url=f"{slow.url}/api/")
        pace = Pace(clock=SystemClock(), every=timedelta(seconds=1.1) / 4)
        notifier = SlackNotifier(call=call, pace=pace)
        async with asyncio.TaskGroup() as group:  # a refusal would end the group
            for number in range(6):
                tale = Story(story.opened(), incident=f"inc-{number}")
                group.create_task(tell(notifier, tale))
        assert [len(thread) for thread in slow.threads] == [2] * 6


@pytest.mark.parametrize("mode", [500, 503, "garbage", "reset"])
async def test_an_answer_that_makes_no_sense_is_unavailable_and_costs_one_request(
    slack: SlackServer, notifier: SlackNotifier, mode: int
) -> None:
    slack.fail(mode)
    with pytest.raises(UnavailableError):
        await notifier.notify(Story(story.opened()).notice())
    assert slack.calls == []


async def test_a_server_that_hangs_is_given_up_although_the_client_would_wait(
    slack: SlackServer,
) -> None:
    slack.fail("hang")
    async with slack_session() as session:
        soon = timedelta(milliseconds=100)
        call = SlackCall(token="t", session=session, url=f"{slack.url}/api/", timeout=soon)
        with pytest.raises(UnavailableError, match="no answer in time"):
            await call("auth.test", {})


async def test_a_session_bounds_every_call_by_itself(slack: SlackServer) -> None:
    async with slack_session() as session:
        assert session.timeout.total == 10


async def test_a_wrong_token_says_what_to_do_and_not_what_it_was(
    slack: SlackServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with slack_session() as session:
        token = "xoxb-1234-very-secret"
        call = SlackCall(token=token, session=session, url=f"{slack.url}/api/")
        notifier = SlackNotifier(call=call, pace=Pace(clock=SystemClock(), every=MOMENT))
        with pytest.raises(
            PermanentError, match="invalid_auth; give healer a valid bot token"
        ) as e:
            await notifier.notify(Story(story.opened()).notice())
        assert token not in str(e.value)
        assert token not in caplog.text


async def test_an_unknown_channel_says_what_to_do(
    slack: SlackServer, notifier: SlackNotifier
) -> None:
    tale = Story(story.opened(), at=story.service(channel="nowhere"))
    with pytest.raises(RejectedError, match="invite the app"):
        await notifier.notify(tale.notice())
    with pytest.raises(RejectedError, match="use its id"):
        await notifier.notify(tale.notice(unsure=True))


async def test_long_notices_are_split_into_messages_that_slack_takes(
    slack: SlackServer, notifier: SlackNotifier
) -> None:
    reason = "the queue & the <cache> are full of `it` " * 60
    tale = Story(story.opened(), *(story.chosen(f"{n} {reason}") for n in range(60)))
    await tell(notifier, tale)
    _, *replies = slack.threads[0]
    assert len(replies) > 1
    shown = "\n".join(b["text"]["text"] for reply in replies for b in reply["blocks"])
    assert shown.count("Chosen: restart") == 60


HOSTILE = (
    "<!channel> <!here> <@U0BOSS> <!subteam^S1> @channel <https://evil|Approve> ```\n"
    "03:12:00Z  Healed, verified\r\n\x00\x1b[31m\u202e*bold* &lt;!channel&gt;" + "x" * 9_000
)


async def test_hostile_text_calls_nobody_and_stays_one_line(
    slack: SlackServer, notifier: SlackNotifier
) -> None:
    events: list[Event] = [
        story.opened(severity=HOSTILE),
        story.received(story.alert(HOSTILE, summary=HOSTILE)),
        story.chosen(HOSTILE),
        story.escalated(HOSTILE),
    ]
    await tell(notifier, Story(*events))
    assert slack.pings == []
    whole = slack.render()
    assert "\x1b" not in whole
    assert "\u202e" not in whole
    assert "```" not in whole
    replies = "\n".join(texts(slack)[1:]).splitlines()
    assert len(replies) == len(events)
    assert "&lt;!channel&gt;" in replies[2]


async def test_the_lab_does_hear_a_mention_that_is_not_escaped(slack: SlackServer) -> None:
    async with slack_session() as session:
        call = SlackCall(token=slack.token, session=session, url=f"{slack.url}/api")
        await call("chat.postMessage", {"channel": "incidents", "text": "<!channel> hello"})
    assert slack.pings == ["<!channel>"]


async def test_threads_of_several_incidents_do_not_mix(
    slack: SlackServer, notifier: SlackNotifier
) -> None:
    tales = [Story(story.opened(), incident=f"inc-{n}") for n in range(5)]
    async with asyncio.TaskGroup() as group:
        for tale in tales:
            group.create_task(tell(notifier, tale))
    async with asyncio.TaskGroup() as group:
        for tale in tales:
            group.create_task(tell(notifier, tale.then(story.chosen()), unsure=True))
    assert [len(thread) for thread in slack.threads] == [3] * 5
    for thread in slack.threads:
        owners = {message["metadata"]["event_payload"]["incident"] for message in thread}
        assert len(owners) == 1


async def test_a_service_without_a_channel_is_no_concern(notifier: SlackNotifier) -> None:
    tale = Story(story.opened(), at=story.service(channel=""))
    assert not notifier.concerns(tale.notice())


async def test_a_repeated_delivery_alone_is_not_worth_a_message(notifier: SlackNotifier) -> None:
    tale = Story(story.opened(), story.received())
    assert notifier.concerns(tale.notice())
    tale.sent("C1:1")
    assert not notifier.concerns(tale.then(story.received()).notice())
    assert notifier.concerns(tale.then(story.received(story.alert(firing=False))).notice())


async def test_a_dropped_notice_of_a_channel_does_not_make_channels_tell_each_other_for_ever(
    notifier: SlackNotifier,
) -> None:
    tale = Story(story.opened())
    tale.sent("C1:1")
    dropped = NoticeDropped(channel="pagerduty", through=1, reason="no such key")
    assert not notifier.concerns(tale.then(dropped).notice())
    assert notifier.concerns(tale.then(story.closed(Ending.RESOLVED)).notice())


async def test_a_thread_goes_on_though_its_service_is_gone_from_the_configuration(
    slack: SlackServer, notifier: SlackNotifier
) -> None:
    tale = Story(story.opened(), story.received())
    await tell(notifier, tale)
    gone = story.service(channel="")
    assert not notifier.concerns(Story(story.opened(), at=gone).notice()), "nobody would read it"
    tale.service = gone
    notice = tale.then(story.escalated("its service is gone from here")).notice()
    assert notifier.concerns(notice)
    await notifier.notify(notice)
    assert len(slack.threads) == 1
    assert "its service is gone from here" in texts(slack)[-1]
