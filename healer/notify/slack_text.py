"""A notice as Slack messages: escaping, blocks, and cutting into pieces that Slack accepts."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from healer.model.event import Entry
from healer.model.incident import Incident, IncidentState
from healer.notify import words
from healer.notify.contract import Notice
from healer.notify.redact import plain

Json = dict[str, Any]

EVENT_TYPE = "healer_notice"
APPROVE = "approve"
DENY = "deny"
"""The action ids of the buttons; their value is the incident's id."""

SECTION = 2900  # Slack takes 3,000 characters in a section
MESSAGE = 9000  # and in all blocks of a message about 13,000, which it does not document
TEXT = 3000  # the fallback text; chat.update takes 4,000 characters
_ENTITY = re.compile(r"&[a-z]*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One reply: lines, and the number of the last entry it tells."""

    lines: tuple[str, ...]
    through: int


def escape(text: str) -> str:
    """Text in which Slack finds no mention, no link and no code block."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("`", "'")


def cut(text: str, limit: int) -> str:
    """At most `limit` characters of escaped text, never half an entity."""
    return text if len(text) <= limit else _ENTITY.sub("", text[: limit - 1]) + "…"


def headline(notice: Notice) -> Json:
    """The parent message: what it is, where it stands, and buttons while a person is asked."""
    incident = notice.incident
    title = cut(escape(words.title(incident)), SECTION)
    status = cut(escape(words.status(incident)), SECTION)
    blocks = [_section(f"*{title}*"), _section(status), _context(notice)]
    if incident.state is IncidentState.ASKING:
        blocks.append(_buttons(incident))
    return {"text": cut(f"{title} — {status}", TEXT), "blocks": blocks}


def pages(entries: Sequence[Entry], *, after: int = 0) -> Iterator[Page]:
    """The lines past number `after`, as few replies as Slack's limits allow."""
    held: list[str] = []
    through = size = 0
    for entry in entries:
        said = words.line(entry) if entry.seq > after else None
        if said is None:
            continue
        line = cut(escape(said), SECTION)
        if held and size + len(line) > MESSAGE:
            yield Page(lines=tuple(held), through=through)
            held, size = [], 0
        held.append(line)
        through, size = entry.seq, size + len(line) + 1
    if held:
        yield Page(lines=tuple(held), through=through)


def reply(page: Page) -> Json:
    """A page as a message."""
    whole = "\n".join(page.lines)
    return {"text": cut(whole, TEXT), "blocks": [_section(text) for text in _sections(page.lines)]}


def mark(incident: Incident, *, kind: str, through: int) -> Json:
    """What a message carries so that it is known again."""
    payload = {"incident": str(incident.id), "kind": kind, "through": through}
    return {"event_type": EVENT_TYPE, "event_payload": payload}


def marked(message: Mapping[str, Any], incident: Incident, *, kind: str) -> int | None:
    """How far a message of this kind tells this incident; None where it is another's."""
    metadata: Json = message.get("metadata") or {}
    payload: Json = metadata.get("event_payload") or {}
    known = (metadata.get("event_type"), payload.get("incident"), payload.get("kind"))
    if known != (EVENT_TYPE, str(incident.id), kind):
        return None
    return int(payload.get("through") or 0)


def _sections(lines: Sequence[str]) -> Iterator[str]:
    held = ""
    for line in lines:
        if held and len(held) + 1 + len(line) > SECTION:
            yield held
            held = ""
        held = f"{held}\n{line}" if held else line
    yield held


def _section(text: str) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _context(notice: Notice) -> Json:
    parts = [f"Incident {plain(notice.incident.id, 100)}"]
    if notice.playbook is not None:
        parts.append(f"playbook {plain(notice.playbook.name, 100)}")
        if notice.playbook.runbook:
            parts.append(f"runbook {plain(notice.playbook.runbook, 300)}")
    parts += [f"“{said}”" for said in _annotations(notice.incident)]
    text = cut(escape(" · ".join(parts)), SECTION)
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text, "verbatim": True}]}


def _annotations(incident: Incident) -> list[str]:
    """What the first alert says of itself. It is shown to people, and never logged."""
    said = (plain(alert.annotations.get("summary", ""), 300) for alert in incident.alerts.values())
    return [text for text in said if text][:1]


def _buttons(incident: Incident) -> Json:
    def button(label: str, action: str, style: str) -> Json:
        text = {"type": "plain_text", "text": label}
        value = str(incident.id)
        return {"type": "button", "text": text, "action_id": action, "value": value, "style": style}

    elements = [button("Approve", APPROVE, "primary"), button("Deny", DENY, "danger")]
    return {"type": "actions", "block_id": "healer_approval", "elements": elements}
