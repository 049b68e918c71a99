"""Slack's Web API on loopback, as far as a bot that posts, edits and reads back needs it."""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from aiohttp import web

from healer.lab.front import Front
from healer.lab.outage import Mode
from healer.lab.slack.limit import POSTED, Json, Refusal, check_message, is_object
from healer.lab.slack.room import Bucket, Channel

_BOT: Json = {"user": "U0HEALER", "bot_id": "B0HEALER", "username": "healer"}


class SlackServer:
    """`async with SlackServer() as slack:` serves at `slack.url`; the API is below `/api/`."""

    def __init__(
        self,
        *,
        token: str = "xoxb-lab",  # noqa: S107 - of a server on loopback
        channels: Sequence[str] = ("incidents",),
        rate: float = 1.0,
        burst: int = 4,
        port: int = 0,
    ) -> None:
        self.token = token
        self.rate, self.burst = rate, burst
        self.calls: list[tuple[str, Json]] = []
        self.channels = [self._channel(number, name) for number, name in enumerate(channels)]
        self._front = Front(
            [
                web.post("/api/{method}", self._serve),
                web.get("/api/{method}", self._serve),
                web.get("/lab/state", self._state),
            ],
            port=port,
            largest=2**20,
        )

    def _channel(self, number: int, name: str) -> Channel:
        now = time.monotonic
        return Channel(f"C{number:04d}LAB", name, Bucket(self.rate, self.burst, now))

    async def __aenter__(self) -> Self:
        await self._front.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._front.close()

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return self._front.url

    def fail(self, mode: Mode, times: int = 1, *, path: str = "") -> None:
        """Let the next requests fail: a status, "hang", "garbage", "reset" or "reset-after"."""
        self._front.fail(mode, times, path=path)

    @property
    def threads(self) -> list[list[Json]]:
        """Every parent with its replies, of all channels, oldest first."""
        found = [thread for channel in self.channels for thread in channel.threads.values()]
        return sorted(found, key=lambda thread: str(thread[0]["ts"]))

    @property
    def pings(self) -> list[str]:
        """The mentions that would have rung somebody's phone."""
        return [ping for channel in self.channels for ping in channel.pings]

    def channel(self, name: str) -> Channel:
        """By id, or by name with or without `#`; channel_not_found otherwise."""
        for channel in self.channels:
            if name in (channel.id, channel.name, f"#{channel.name}"):
                return channel
        raise Refusal("channel_not_found")

    def render(self) -> str:
        """All threads as a person reads them."""
        texts = [channel.render(ts) for channel in self.channels for ts in channel.threads]
        return "\n\n".join(texts)

    async def _state(self, _request: web.Request) -> web.Response:
        state = {channel.name: list(channel.threads.values()) for channel in self.channels}
        return web.json_response({"channels": state, "text": self.render(), "pings": self.pings})

    async def _serve(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        try:
            body = await _body(request)
            self._admit(request, body)
            answer = self._method(method)(body)
        except Refusal as refusal:
            return web.json_response(_refused(refusal))
        except _TooFastError as slow:
            headers = {"Retry-After": str(slow.seconds)}
            said = {"ok": False, "error": "ratelimited"}
            return web.json_response(said, status=429, headers=headers)
        return web.json_response({"ok": True, **answer})

    def _admit(self, request: web.Request, body: Json) -> None:
        header = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        token = header or body.pop("token", "")
        if not token:
            raise Refusal("not_authed")
        if token != self.token:
            raise Refusal("invalid_auth")

    def _method(self, name: str) -> Callable[[Json], Json]:
        known: Mapping[str, Callable[[Json], Json]] = {
            "auth.test": self._auth_test,
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "conversations.history": self._history,
            "conversations.list": self._list,
            "conversations.replies": self._replies,
        }
        if name not in known:
            raise Refusal("unknown_method")

        def call(body: Json) -> Json:
            self.calls.append((name, body))
            return known[name](body)

        return call

    def _auth_test(self, _body: Json) -> Json:
        return {
            "url": "https://lab.slack.com/",
            "team": "Lab",
            "team_id": "T0000LAB",
            "user": "healer",
            "user_id": "U0HEALER",
            "bot_id": "B0HEALER",
            "is_enterprise_install": False,
        }

    def _post(self, body: Json) -> Json:
        channel = self.channel(str(body.get("channel", "")))
        if channel.archived:
            raise Refusal("is_archived")
        check_message(body, longest=POSTED)
        wait = channel.bucket.take()
        if wait > 0:
            raise _TooFastError(math.ceil(wait))
        message = channel.post(body, at=time.time(), bot=_BOT)
        return {"channel": channel.id, "ts": message["ts"], "message": _seen(message)}

    def _update(self, body: Json) -> Json:
        channel = self._by_id(body)
        message = channel.edit(body, at=time.time())
        text, ts = message["text"], message["ts"]
        return {"channel": channel.id, "ts": ts, "text": text, "message": _seen(message)}

    def _history(self, body: Json) -> Json:
        oldest, latest = float(body.get("oldest") or 0), float(body.get("latest") or math.inf)
        found = [m for m in self._by_id(body).parents() if oldest < float(m["ts"]) < latest]
        return _page(found, body, default=100)

    def _replies(self, body: Json) -> Json:
        return _page(self._by_id(body).thread(str(body.get("ts"))), body, default=1000)

    def _list(self, body: Json) -> Json:
        rows = [{"id": c.id, "name": c.name, "is_archived": c.archived} for c in self.channels]
        start, limit = _window(body, default=100)
        return {"channels": rows[start : start + limit], **_next(rows, start + limit)}

    def _by_id(self, body: Json) -> Channel:
        """All methods but chat.postMessage take an id, never a name."""
        for channel in self.channels:
            if channel.id == body.get("channel"):
                return channel
        raise Refusal("channel_not_found")


class _TooFastError(Exception):
    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


async def _body(request: web.Request) -> Json:
    """JSON, or a form whose structured fields are JSON within."""
    if request.content_type == "application/json":
        try:
            found: Any = await request.json()
        except ValueError:
            raise Refusal("invalid_json") from None
        if not is_object(found):
            raise Refusal("json_not_object")
        return found
    form: Json = {**request.query, **(await request.post())}
    for key in ("blocks", "metadata", "attachments"):
        if isinstance(form.get(key), str):
            form[key] = _inner(key, form[key])
    return form


def _inner(key: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        word = "invalid_metadata_format" if key == "metadata" else f"invalid_{key}_format"
        raise Refusal(word) from None


def _refused(refusal: Refusal) -> Json:
    said: Json = {"ok": False, "error": refusal.error}
    if refusal.messages:
        said["errors"] = [message.removeprefix("[ERROR] ") for message in refusal.messages]
        said["response_metadata"] = {"messages": list(refusal.messages)}
    return said


def _seen(message: Json, *, metadata: bool = True) -> Json:
    return {key: value for key, value in message.items() if metadata or key != "metadata"}


def _window(body: Json, *, default: int) -> tuple[int, int]:
    cursor = str(body.get("cursor") or "0")
    if not cursor.isdecimal():
        raise Refusal("invalid_cursor")
    return int(cursor), min(999, int(body.get("limit") or default))


def _next(rows: Sequence[Json], after: int) -> Json:
    return {"response_metadata": {"next_cursor": str(after) if after < len(rows) else ""}}


def _page(messages: Sequence[Json], body: Json, *, default: int) -> Json:
    start, limit = _window(body, default=default)
    whole = str(body.get("include_all_metadata", "")).lower() in ("true", "1")
    page = [_seen(message, metadata=whole) for message in messages[start : start + limit]]
    more = start + limit < len(messages)
    return {"messages": page, "has_more": more, **_next(messages, start + limit)}
