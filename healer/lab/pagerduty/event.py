"""What the Events API v2 says of an event before it takes it."""

from collections.abc import Iterator
from typing import Any, TypeGuard

Json = dict[str, Any]

ACTIONS = ("trigger", "acknowledge", "resolve")
SEVERITIES = ("critical", "warning", "error", "info")
SUMMARY = 1024
KEY = 255
SIZE = 512 * 1024


def is_object(value: object) -> TypeGuard[Json]:
    """Is it a JSON object?"""
    return isinstance(value, dict)


def faults(event: Json) -> Iterator[str]:
    """Everything wrong with it, in PagerDuty's manner."""
    yield from _routing(event.get("routing_key"))
    action, key = event.get("event_action"), event.get("dedup_key")
    if action not in ACTIONS:
        yield "'event_action' is missing or invalid (must be one of: trigger, acknowledge, resolve)"
    if key is not None and (not isinstance(key, str) or len(key) > KEY):
        yield f"'dedup_key' is too long (maximum is {KEY} characters)"
    if action in ("acknowledge", "resolve") and not key:
        yield "'dedup_key' is missing or blank"
    if action == "trigger":
        yield from _payload(event.get("payload"))


def _routing(key: object) -> Iterator[str]:
    if not isinstance(key, str) or not key:
        yield "'routing_key' is missing or blank"
    elif len(key) != 32:
        yield "Length of 'routing_key' is incorrect (should be 32 characters)"


def _payload(payload: object) -> Iterator[str]:
    if not is_object(payload):
        yield "'payload' is missing or blank"
        return
    for name in ("summary", "source", "severity"):
        if not payload.get(name):
            yield f"'payload.{name}' is missing or blank"
    if len(str(payload.get("summary", ""))) > SUMMARY:
        yield f"'payload.summary' is too long (maximum is {SUMMARY} characters)"
    if payload.get("severity") and payload["severity"] not in SEVERITIES:
        allowed = ", ".join(f"'{severity}'" for severity in SEVERITIES)
        yield f"'payload.severity' is invalid (must be one of the following: {allowed})"
