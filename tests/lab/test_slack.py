"""The lab's Slack, spoken to over HTTP as any client would, and through Slack's own SDK."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from healer.lab.slack.server import SlackServer

Json = dict[str, Any]
AUTH = {"Authorization": "Bearer xoxb-lab"}


@pytest.fixture
async def slack() -> AsyncIterator[SlackServer]:
    async with SlackServer(channels=("incidents", "other"), rate=1000, burst=1000) as server:
        yield server


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


class Caller:
    """Posts to the API as JSON."""

    def __init__(self, http: aiohttp.ClientSession, slack: SlackServer) -> None:
        self._http, self._slack = http, slack

    async def __call__(self, method: str, **body: Any) -> Json:
        url = f"{self._slack.url}/api/{method}"
        async with self._http.post(url, json=body, headers=AUTH) as answer:
            assert answer.status == 200
            found: Json = await answer.json()
            return found


@pytest.fixture
def call(http: aiohttp.ClientSession, slack: SlackServer) -> Caller:
    return Caller(http, slack)


async def test_it_knows_who_asks(call: Caller) -> None:
    answer = await call("auth.test")
    assert (answer["ok"], answer["user"], answer["bot_id"]) == (True, "healer", "B0HEALER")


@pytest.mark.parametrize(
    ("headers", "error"), [({}, "not_authed"), ({"Authorization": "Bearer x"}, "invalid_auth")]
)
async def test_refusals_are_http_200_with_ok_false(
    http: aiohttp.ClientSession, slack: SlackServer, headers: dict[str, str], error: str
) -> None:
    async with http.post(f"{slack.url}/api/auth.test", headers=headers) as answer:
        assert answer.status == 200
        assert await answer.json() == {"ok": False, "error": error}


async def test_a_form_is_understood_as_well_as_json(
    http: aiohttp.ClientSession, slack: SlackServer
) -> None:
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "hello"}}
    form = {"token": "xoxb-lab", "channel": "#incidents", "blocks": json.dumps([section])}
    async with http.post(f"{slack.url}/api/chat.postMessage", data=form) as answer:
        assert (await answer.json())["message"]["blocks"] == [section]


async def test_posts_are_numbered_uniquely_and_threads_are_kept(
    call: Caller, slack: SlackServer
) -> None:
    parents = [await call("chat.postMessage", channel="incidents", text=f"p{n}") for n in range(3)]
    stamps = [str(answer["ts"]) for answer in parents]
    assert stamps == sorted(set(stamps))
    await call("chat.postMessage", channel="incidents", text="r", thread_ts=stamps[1])
    assert [[m["text"] for m in thread] for thread in slack.threads] == [
        ["p0"],
        ["p1", "r"],
        ["p2"],
    ]


async def test_history_shows_parents_newest_first_in_pages(call: Caller) -> None:
    for number in range(5):
        await call("chat.postMessage", channel="incidents", text=str(number))
    channel = "C0000LAB"
    first = await call("conversations.history", channel=channel, limit=3)
    assert [m["text"] for m in first["messages"]] == ["4", "3", "2"]
    assert first["has_more"] is True
    cursor = first["response_metadata"]["next_cursor"]
    rest = await call("conversations.history", channel=channel, limit=3, cursor=cursor)
    assert [m["text"] for m in rest["messages"]] == ["1", "0"]
    assert rest["response_metadata"]["next_cursor"] == ""
    newer = {"channel": channel, "oldest": first["messages"][1]["ts"]}
    assert [m["text"] for m in (await call("conversations.history", **newer))["messages"]] == ["4"]


async def test_metadata_is_kept_through_edits_and_shown_on_request_only(call: Caller) -> None:
    metadata = {"event_type": "notice", "event_payload": {"incident": "i"}}
    sent = await call("chat.postMessage", channel="incidents", text="a", metadata=metadata)
    where = {"channel": sent["channel"], "ts": sent["ts"]}
    await call("chat.update", **where, text="b")
    bare = await call("conversations.replies", **where)
    whole = await call("conversations.replies", **where, include_all_metadata=True)
    assert (bare["messages"][0]["text"], "metadata" in bare["messages"][0]) == ("b", False)
    assert whole["messages"][0]["metadata"] == metadata


async def test_an_edit_with_text_alone_drops_the_blocks(call: Caller) -> None:
    divider = [{"type": "divider"}]
    sent = await call("chat.postMessage", channel="incidents", text="a", blocks=divider)
    where = {"channel": sent["channel"], "ts": sent["ts"]}
    assert (await call("chat.update", **where, text="b"))["message"]["blocks"] == []


def section(text: str) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"channel": "nowhere", "text": "a"}, "channel_not_found"),
        ({"channel": "incidents"}, "no_text"),
        ({"channel": "incidents", "text": "a" * 40_001}, "msg_too_long"),
        ({"channel": "incidents", "blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ({"channel": "incidents", "blocks": [section("a" * 3001)]}, "invalid_blocks"),
        ({"channel": "incidents", "blocks": [section("")]}, "invalid_blocks"),
        ({"channel": "incidents", "blocks": [{"type": "banner"}]}, "invalid_blocks"),
        ({"channel": "incidents", "blocks": [section("a" * 3000)] * 5}, "msg_blocks_too_long"),
        ({"channel": "incidents", "text": "a", "thread_ts": "1.2"}, "thread_not_found"),
        ({"channel": "incidents", "text": "a", "metadata": {"x": 1}}, "invalid_metadata_format"),
    ],
)
async def test_what_slack_refuses_is_refused(call: Caller, body: Json, error: str) -> None:
    assert (await call("chat.postMessage", **body))["error"] == error


async def test_a_refused_block_is_named(call: Caller) -> None:
    blocks = [{"type": "divider"}, section("a" * 3001)]
    answer = await call("chat.postMessage", channel="incidents", blocks=blocks)
    said = "[ERROR] must be less than 3001 characters [json-pointer:/blocks/1/text/text]"
    assert answer["response_metadata"]["messages"] == [said]


async def test_edits_are_shorter_and_want_the_id_of_the_channel(call: Caller) -> None:
    sent = await call("chat.postMessage", channel="incidents", text="a")
    where = {"channel": sent["channel"], "ts": sent["ts"]}
    assert (await call("chat.update", **where, text="a" * 4001))["error"] == "msg_too_long"
    by_name = {"channel": "incidents", "ts": sent["ts"], "text": "b"}
    assert (await call("chat.update", **by_name))["error"] == "channel_not_found"
    unknown = {"channel": sent["channel"], "ts": "1.2", "text": "b"}
    assert (await call("chat.update", **unknown))["error"] == "message_not_found"


async def test_an_archived_channel_takes_nothing(call: Caller, slack: SlackServer) -> None:
    slack.channels[0].archived = True
    answer = await call("chat.postMessage", channel="incidents", text="a")
    assert answer["error"] == "is_archived"


async def test_a_burst_is_taken_and_then_the_channel_is_too_busy_and_no_other(
    http: aiohttp.ClientSession,
) -> None:
    async with SlackServer(channels=("a", "b"), rate=0.5, burst=3) as slow:

        async def post(channel: str) -> tuple[int, str | None]:
            url, body = f"{slow.url}/api/chat.postMessage", {"channel": channel, "text": "x"}
            async with http.post(url, json=body, headers=AUTH) as answer:
                return answer.status, answer.headers.get("Retry-After")

        assert [await post("a") for _ in range(4)] == [(200, None)] * 3 + [(429, "2")]
        assert await post("b") == (200, None)


async def test_the_sdk_of_slack_takes_it_for_slack(slack: SlackServer) -> None:
    """Without retry handlers and a session of its own, as scripts use it."""
    client: Any = AsyncWebClient(token="xoxb-lab", base_url=f"{slack.url}/api/")
    sent = await client.chat_postMessage(channel="#incidents", text="hello")
    channel, ts = str(sent["channel"]), str(sent["ts"])
    await client.chat_postMessage(channel=channel, thread_ts=ts, text="again")
    replies = await client.conversations_replies(channel=channel, ts=ts)
    assert [message["text"] for message in replies["messages"]] == ["hello", "again"]
    assert replies["messages"][0]["reply_count"] == 1
    with pytest.raises(SlackApiError, match="channel_not_found"):
        await client.chat_postMessage(channel="nowhere", text="hello")


async def test_a_person_reads_threads_without_markup(call: Caller, slack: SlackServer) -> None:
    blocks = [section("*Broken* &lt;here&gt; <https://example.com|runbook> <!channel>")]
    sent = await call("chat.postMessage", channel="incidents", text="x", blocks=blocks)
    await call("chat.postMessage", channel="incidents", text="fixed", thread_ts=sent["ts"])
    shown = slack.render().splitlines()
    assert shown[0].startswith("#incidents  ")
    assert shown[1] == "  *Broken* <here> runbook @channel"
    assert shown[3] == "      fixed"
    assert slack.pings == ["<!channel>"]


async def test_its_state_can_be_read_over_http(
    http: aiohttp.ClientSession, slack: SlackServer, call: Caller
) -> None:
    await call("chat.postMessage", channel="other", text="hello")
    async with http.get(f"{slack.url}/lab/state") as answer:
        state = await answer.json()
    assert state["channels"]["other"][0][0]["text"] == "hello"
    assert "hello" in state["text"]


async def test_after_a_cut_connection_the_message_is_there(
    call: Caller, slack: SlackServer
) -> None:
    slack.fail("reset-after")
    with pytest.raises(aiohttp.ClientConnectionError):
        await call("chat.postMessage", channel="incidents", text="hello")
    assert len(slack.threads) == 1
    slack.fail("reset")
    with pytest.raises(aiohttp.ClientConnectionError):
        await call("chat.postMessage", channel="incidents", text="hello")
    assert len(slack.threads) == 1
    assert (await call("auth.test"))["ok"]
