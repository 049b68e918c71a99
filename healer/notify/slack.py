"""Slack: one message per incident, edited as it moves, and its lines as replies in the thread.

Every message says in its metadata which lines it tells; after a lost answer healer reads them back
instead of posting again.
"""

import logging
import re
from datetime import timedelta
from typing import Any

from healer.errors import RejectedError, TemporaryError
from healer.model.event import AlertsReceived, Entry, NoticeDropped
from healer.notify import slack_text, words
from healer.notify.contract import Notice
from healer.notify.pace import Pace
from healer.notify.slack_call import SlackCall

Json = dict[str, Any]

_LOG = logging.getLogger(__name__)
_GONE = frozenset({"message_not_found", "thread_not_found", "cant_update_message"})
_BLIND = frozenset({"missing_scope", "no_permission", "not_allowed_token_type"})
_ID = re.compile(r"[CGD][A-Z0-9]{7,}")
_SKEW = timedelta(hours=1)


class SlackNotifier:
    """A channel called `slack`. `ref` is `channel:ts` of the parent message."""

    def __init__(self, *, call: SlackCall, pace: Pace) -> None:
        self._call = call
        self._pace = pace

    @property
    def channel(self) -> str:
        """Its name in the timeline."""
        return "slack"

    def concerns(self, notice: Notice) -> bool:
        """Is there a channel or at least a thread, and a line that is news?"""
        return bool(notice.service.slack_channel or notice.ref) and _news(notice)

    async def notify(self, notice: Notice) -> str:
        """Tell it once: the parent, the new lines, and the parent's new headline."""
        if notice.ref:
            try:
                return await self._follow_up(notice, *_split(notice.ref), fresh=False)
            except RejectedError as error:
                if error.reason not in _GONE:
                    raise
                _LOG.warning(
                    "the Slack message of incident %s is gone; posting anew", notice.incident.id
                )
        return await self._begin(notice)

    async def _begin(self, notice: Notice) -> str:
        found = await self._find_parent(notice) if notice.unsure else None
        if found is not None:
            return await self._follow_up(notice, *found, fresh=False)
        answer = await self._post(
            notice,
            {
                "channel": notice.service.slack_channel,
                **slack_text.headline(notice),
                "metadata": slack_text.mark(notice.incident, kind="headline", through=0),
            },
        )
        return await self._follow_up(notice, str(answer["channel"]), str(answer["ts"]), fresh=True)

    async def _follow_up(self, notice: Notice, channel: str, ts: str, *, fresh: bool) -> str:
        told = await self._told(notice, channel, ts) if notice.unsure and not fresh else 0
        for page in slack_text.pages(notice.entries, after=told):
            mark = slack_text.mark(notice.incident, kind="lines", through=page.through)
            reply = {"channel": channel, "thread_ts": ts, "metadata": mark}
            await self._post(notice, {**reply, **slack_text.reply(page)})
        if not fresh:
            await self._edit(notice, channel, ts)
        return f"{channel}:{ts}"

    async def _post(self, notice: Notice, body: Json) -> Json:
        place = notice.service.slack_channel or str(body["channel"])
        await self._pace.take(place)
        return await self._paced(place, "chat.postMessage", body)

    async def _edit(self, notice: Notice, channel: str, ts: str) -> None:
        await self._pace.take("chat.update")  # its limit is per method, not per channel
        body = {"channel": channel, "ts": ts, **slack_text.headline(notice)}
        await self._paced("chat.update", "chat.update", body)

    async def _paced(self, key: str, method: str, body: Json) -> Json:
        """A call; where Slack asks for silence, everybody who writes there keeps it."""
        try:
            return await self._call(method, body)
        except TemporaryError as error:
            if error.retry_after is not None:
                self._pace.hold(key, error.retry_after)
            raise

    async def _find_parent(self, notice: Notice) -> tuple[str, str] | None:
        """The parent that an earlier try may have posted."""
        opened = notice.incident.opened_at
        oldest = f"{(opened - _SKEW).timestamp():.6f}" if opened else "0"
        try:
            channel = await self._channel_id(notice.service.slack_channel)
            body = {"channel": channel, "oldest": oldest, "include_all_metadata": True}
            async for message in self._call.each("conversations.history", body, of="messages"):
                if slack_text.marked(message, notice.incident, kind="headline") is not None:
                    return channel, str(message["ts"])
        except RejectedError as error:
            _blind(error)
        return None

    async def _told(self, notice: Notice, channel: str, ts: str) -> int:
        """How far the thread tells already."""
        told = 0
        body = {"channel": channel, "ts": ts, "include_all_metadata": True}
        try:
            async for message in self._call.each("conversations.replies", body, of="messages"):
                told = max(told, slack_text.marked(message, notice.incident, kind="lines") or 0)
        except RejectedError as error:
            _blind(error)
        return told

    async def _channel_id(self, name: str) -> str:
        """Reading takes an id, where posting takes a name as well."""
        if _ID.fullmatch(name):
            return name
        body = {"types": "public_channel,private_channel", "exclude_archived": True}
        async for row in self._call.each("conversations.list", body, of="channels"):
            if row.get("name") == name.removeprefix("#"):
                return str(row["id"])
        message = f"Slack has no channel {name} that the app can see; use its id (C…)"
        raise RejectedError(message, reason="channel_not_found")


def _blind(error: RejectedError) -> None:
    """Without the right to read back, telling twice is better than not telling."""
    if error.reason not in _BLIND:
        raise error
    _LOG.warning(
        "cannot look whether Slack has a notice already, so it may be there twice: %s", error
    )


def _split(ref: str) -> tuple[str, str]:
    channel, _, ts = ref.partition(":")
    return channel, ts


def _news(notice: Notice) -> bool:
    """A repeated delivery of the same alerts is not, and neither is what a channel failed to do."""
    return any(
        words.line(entry) is not None and not _routine(notice, entry) for entry in notice.entries
    )


def _routine(notice: Notice, entry: Entry) -> bool:
    match entry.event:
        case NoticeDropped():
            return True
        case AlertsReceived(alerts=alerts):
            return bool(notice.ref) and all(alert.firing for alert in alerts)
        case _:
            return False
