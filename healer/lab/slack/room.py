"""A channel: its messages, their threads, and how fast it may be written to."""

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from healer.lab.slack.limit import UPDATED, Json, Refusal, check_message

_BROADCAST = re.compile(r"<(?:!(channel|here|everyone)|!subteam\^[^>]*|@([A-Z0-9]+))(?:\|[^>]*)?>")
_LINK = re.compile(r"<([^>|]*)(?:\|([^>]*))?>")


@dataclass(slots=True)
class Bucket:
    """Slack's rate per channel: about one message a second, short bursts allowed."""

    rate: float
    burst: int
    now: Callable[[], float]
    level: float = 0.0
    at: float = 0.0

    def take(self) -> float:
        """0 where the message may go; otherwise the seconds until one may."""
        now = self.now()
        self.level = max(0.0, self.level - (now - self.at) * self.rate)
        self.at = now
        if self.level + 1 > self.burst:
            return (self.level + 1 - self.burst) / self.rate
        self.level += 1
        return 0.0


@dataclass(slots=True)
class Channel:
    """`threads` holds every parent message with its replies, oldest first."""

    id: str
    name: str
    bucket: Bucket
    threads: dict[str, list[Json]] = field(default_factory=dict[str, list[Json]])
    pings: list[str] = field(default_factory=list[str])
    archived: bool = False
    last: float = 0.0

    def post(self, body: Json, *, at: float, bot: Json) -> Json:
        """A new message, or a reply where `thread_ts` names a parent."""
        parent = body.get("thread_ts")
        if parent and parent not in self.threads:
            raise Refusal("thread_not_found")
        self.last = max(at, self.last + 1e-6)  # ts is unique within a channel
        message = {"type": "message", "subtype": "bot_message", "ts": f"{self.last:.6f}", **bot}
        message |= {"text": body.get("text") or "", "blocks": body.get("blocks") or []}
        if body.get("metadata"):
            message["metadata"] = body["metadata"]
        if parent:
            message["thread_ts"] = parent
        self.threads.setdefault(parent or message["ts"], []).append(message)
        self._ping(message)
        return message

    def edit(self, body: Json, *, at: float) -> Json:
        """Change a message. Text without blocks drops its blocks; metadata stays if not given."""
        message = self.find(str(body.get("ts")))
        check_message(body, longest=UPDATED)
        if body.get("text") is not None:
            message |= {"text": body["text"], "blocks": body.get("blocks") or []}
        elif body.get("blocks") is not None:
            message["blocks"] = body["blocks"]
        if body.get("metadata") is not None:
            message["metadata"] = body["metadata"]
        message["edited"] = {"user": message["user"], "ts": f"{at:.6f}"}
        return message

    def find(self, ts: str) -> Json:
        """The message of that ts, parent or reply."""
        for thread in self.threads.values():
            for message in thread:
                if message["ts"] == ts:
                    return message
        raise Refusal("message_not_found")

    def delete(self, ts: str) -> None:
        """What a person does who tidies up: the parent goes, and its thread with it."""
        del self.threads[ts]

    def parents(self) -> list[Json]:
        """Newest first, each with what Slack says of its thread."""
        return [_parent(thread) for _, thread in sorted(self.threads.items(), reverse=True)]

    def thread(self, ts: str) -> list[Json]:
        """A parent and its replies, oldest first."""
        if ts not in self.threads:
            raise Refusal("thread_not_found")
        thread = self.threads[ts]
        return [_parent(thread), *thread[1:]]

    def render(self, ts: str) -> str:
        """A thread as a person reads it."""
        first, *replies = self.threads[ts]
        lines = [f"#{self.name}  {_clock(first)}", *_indent(shown(first), "  ")]
        for reply in replies:
            lines += [f"    └ {_clock(reply)}", *_indent(shown(reply), "      ")]
        return "\n".join(lines)

    def _ping(self, message: Json) -> None:
        said = "\n".join((message["text"], *_mrkdwn(message["blocks"])))
        self.pings += sorted({match.group(0) for match in _BROADCAST.finditer(said)})


def shown(message: Json) -> str:
    """What a client shows: the blocks, or the text where there are none; entities are resolved."""
    said = _words(message["blocks"]) or [message["text"]]
    return "\n".join(html.unescape(_LINK.sub(_link, text)) for text in said)


def _words(blocks: Sequence[Json]) -> list[str]:
    return [text for block in blocks for text in _block_words(block)]


def _block_words(block: Json) -> list[str]:
    match block.get("type"):
        case "section" | "header":
            return [block["text"]["text"]]
        case "context":
            return ["  ".join(element["text"] for element in block["elements"])]
        case "actions":
            return ["  ".join(f"[ {item['text']['text']} ]" for item in block["elements"])]
        case _:
            return []


def _mrkdwn(blocks: Sequence[Json]) -> list[str]:
    """The texts in which Slack looks for control sequences."""
    texts = [block.get("text") for block in blocks]
    texts += [element for block in blocks for element in block.get("elements", ())]
    return [text["text"] for text in texts if text and text.get("type") == "mrkdwn"]


def _link(match: re.Match[str]) -> str:
    target, label = match.group(1), match.group(2)
    return label or ("@" + target.lstrip("!@") if target[:1] in ("!", "@") else target)


def _parent(thread: Sequence[Json]) -> Json:
    first, *replies = thread
    if not replies:
        return first
    return first | {
        "thread_ts": first["ts"],
        "reply_count": len(replies),
        "latest_reply": replies[-1]["ts"],
    }


def _clock(message: Json) -> str:
    return datetime.fromtimestamp(float(message["ts"]), UTC).strftime("%H:%M:%S")


def _indent(text: str, by: str) -> list[str]:
    return [by + line for line in text.splitlines()]
