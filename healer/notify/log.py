"""The log: one line of JSON for every entry, with the words people read and no raw alert text."""

import logging

import orjson

from healer.model.event import Entry, Escalated, NoticeDropped
from healer.model.incident import Incident
from healer.notify import words
from healer.notify.phrase import short

TIMELINE = "healer.timeline"


class EntryLog:
    """An observer. Where its lines go is decided by the logging configuration."""

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._log = logger or logging.getLogger(TIMELINE)

    def see(self, entry: Entry, incident: Incident) -> None:
        """Write the line of an entry."""
        log, level = self._log, _level(entry)
        if log.isEnabledFor(level):  # handled at once: who called is of no interest, and costs
            line = orjson.dumps(_fields(entry, incident)).decode()
            log.handle(log.makeRecord(log.name, level, "", 0, "%s", (line,), None))


def _level(entry: Entry) -> int:
    match entry.event:
        case Escalated() | NoticeDropped():
            return logging.WARNING
        case _:
            return logging.INFO


def _fields(entry: Entry, incident: Incident) -> dict[str, object]:
    key = incident.key
    fields: dict[str, object] = {
        "at": entry.at.isoformat(),
        "incident": short(entry.incident),
        "seq": entry.seq,
        "event": type(entry.event).__name__,
        "service": short(key.service) if key else "",
        "playbook": short(key.playbook) if key else "",
        "target": short(str(key.target)) if key else "",
        "state": str(incident.state),
        "words": words.say(entry.event) or "",
    }
    return {name: value for name, value in fields.items() if value != ""}
