"""What healer asked the cluster to change, by the audit log of the API server, not by its own word.

A command executed in a pod is not among it: what that changes shows in the files of the volume. In
a rehearsal neither is what a server is asked by way of the proxy: it may be asked what it would do.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from healer.errors import PermanentError
from healer.lab.contract import Object


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Who is watched, in which namespace, since when, and whether it only rehearses."""

    user: str
    namespace: str
    since: datetime
    rehearses: bool = False


def written(log: Path, by: Writer) -> list[str]:
    """Each request to change something, such as `patch deployments/web`."""
    try:
        lines = log.read_text().splitlines()
    except OSError as error:
        message = f"the audit log of the lab cannot be read: {error.strerror or error}"
        raise PermanentError(message) from error
    events: Iterable[Object] = map(json.loads, lines)
    return [_told(event) for event in events if _is_by(event, by) and _changes(event, by)]


def _is_by(event: Object, by: Writer) -> bool:
    at = datetime.fromisoformat(str(event["requestReceivedTimestamp"]))
    there = event["objectRef"].get("namespace", "") == by.namespace
    return there and at >= by.since and event["user"]["username"] == by.user


def _changes(event: Object, by: Writer) -> bool:
    """Not what is said to be a rehearsal."""
    part = event["objectRef"].get("subresource", "")
    rehearsed = "All" in parse_qs(urlsplit(str(event["requestURI"])).query).get("dryRun", [])
    return not (rehearsed or part == "exec" or (part == "proxy" and by.rehearses))


def _told(event: Object) -> str:
    about = event["objectRef"]
    _, _, asked = urlsplit(str(event["requestURI"])).path.partition("/proxy")
    parts = (about["resource"], about.get("name", ""), about.get("subresource", ""))
    return f"{event['verb']} {'/'.join(part for part in parts if part)}{asked}"
