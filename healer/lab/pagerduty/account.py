"""What an account holds: incidents with their log and notes, and whose telephone rang.

A trigger for an incident that is open already, acknowledged ones included, is only logged: it
wakes nobody. That is how PagerDuty deduplicates.
"""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]


def _stamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(slots=True, kw_only=True)
class Incident:
    """One incident with one alert, as a service that makes an incident of every alert has it."""

    id: str
    number: int
    key: str
    routing_key: str
    payload: Json
    status: str = "triggered"
    created_at: str = field(default_factory=_stamp)
    since: float = field(default_factory=time.monotonic)
    log: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    notes: list[Json] = field(default_factory=list[Json])

    @property
    def open(self) -> bool:
        """Does it still wait for somebody?"""
        return self.status != "resolved"

    def note_down(self, what: str) -> None:
        """A line of its log."""
        self.log.append((_stamp(), what))

    def as_json(self) -> Json:
        """As the REST API shows it."""
        return {
            "id": self.id,
            "type": "incident",
            "summary": f"[#{self.number}] {self.payload['summary']}",
            "incident_number": self.number,
            "title": self.payload["summary"],
            "created_at": self.created_at,
            "status": self.status,
            "incident_key": self.key,
            "urgency": "low" if self.payload["severity"] in ("warning", "info") else "high",
            "self": f"https://api.pagerduty.com/incidents/{self.id}",
            "html_url": f"https://lab.pagerduty.com/incidents/{self.id}",
        }

    def render(self) -> str:
        """As a person reads it."""
        payload = self.payload
        head = f"[#{self.number}] {self.status.upper()}  {payload['summary']}"
        lines = [head, f"  {payload['severity']} on {payload['source']}  (key {self.key})"]
        details: Json = payload.get("custom_details") or {}
        lines += [f"  {name}: {value}" for name, value in details.items()]
        lines += [f"  {at}  {what}" for at, what in self.log]
        return "\n".join(lines)


@dataclass(slots=True)
class Account:
    """`pages` are the telephone calls: one for each incident that was opened."""

    incidents: list[Incident] = field(default_factory=list[Incident])
    pages: list[str] = field(default_factory=list[str])

    def trigger(self, routing_key: str, key: str, payload: Json) -> None:
        """Open an incident and wake somebody, or log it with the open one of that key."""
        known = self._open(routing_key, key)
        if known is not None:
            known.note_down("triggered again")
            return
        number = len(self.incidents) + 1
        opened = Incident(
            id=f"Q{number:013d}", number=number, key=key, routing_key=routing_key, payload=payload
        )
        opened.note_down("triggered")
        self.incidents.append(opened)
        self.pages.append(key)

    def acknowledge(self, routing_key: str, key: str) -> None:
        """Stop the calls; an unknown or resolved key changes nothing."""
        known = self._open(routing_key, key)
        if known is not None and known.status == "triggered":
            known.status = "acknowledged"
            known.note_down("acknowledged")

    def resolve(self, routing_key: str, key: str) -> None:
        """Close it; an unknown or resolved key changes nothing."""
        known = self._open(routing_key, key)
        if known is not None:
            known.status = "resolved"
            known.note_down("resolved")

    def find(self, number: str) -> Incident | None:
        """By id."""
        return next((found for found in self.incidents if found.id == number), None)

    def annotate(self, incident: Incident, content: str, author: str) -> Json:
        """A note under an incident."""
        note = {
            "id": f"N{len(incident.notes) + 1:06d}",
            "user": {"type": "user_reference", "summary": author},
            "content": content,
            "created_at": _stamp(),
        }
        incident.notes.append(note)
        incident.note_down(f"note by {author}: {content}")
        return note

    def _open(self, routing_key: str, key: str) -> Incident | None:
        matching = (
            found
            for found in self.incidents
            if found.open and (found.routing_key, found.key) == (routing_key, key)
        )
        return next(matching, None)
