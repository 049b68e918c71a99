"""What the API server says when it says no: a Status body becomes one of our errors."""

from collections.abc import Mapping
from http import HTTPStatus

import orjson
from pydantic import Field, ValidationError

from healer.client.http import refusal, retry_after
from healer.client.kubernetes.object import Wire
from healer.errors import HealerError, UnavailableError

CONFLICT = "Conflict"
ALREADY_EXISTS = "AlreadyExists"
FORBIDDEN = "Forbidden"
NOT_FOUND = "NotFound"
INVALID = "Invalid"

_BY_CODE: Mapping[int, str] = {
    HTTPStatus.UNAUTHORIZED: "Unauthorized",
    HTTPStatus.FORBIDDEN: FORBIDDEN,
    HTTPStatus.NOT_FOUND: NOT_FOUND,
    HTTPStatus.CONFLICT: CONFLICT,
    HTTPStatus.UNPROCESSABLE_ENTITY: INVALID,
}


class Cause(Wire):
    """One of several causes."""

    reason: str = ""
    message: str = ""
    field: str = ""


class Details(Wire):
    """More about the object and the causes."""

    causes: tuple[Cause, ...] = ()
    retry_after_seconds: int = 0


class Status(Wire):
    """The body of a refusal; `reason` is a word of the API, e.g. AlreadyExists."""

    status: str = ""
    reason: str = ""
    message: str = ""
    code: int = 0
    details: Details = Field(default_factory=Details)

    def caused_by(self, reason: str) -> bool:
        """Is that reason among the causes?"""
        return any(cause.reason == reason for cause in self.details.causes)


def parse_status(body: bytes) -> Status:
    """The Status; an empty one where the body is something else (a proxy's page of HTML)."""
    try:
        return Status.model_validate(orjson.loads(body))
    except (orjson.JSONDecodeError, ValidationError):
        return Status()


def refused(doing: str, *, status: int, headers: Mapping[str, str], body: bytes) -> HealerError:
    """The error for an answer of the API server that is no success."""
    told = parse_status(body)
    if told.reason in ("Timeout", "ServerTimeout"):
        message = f"{doing}: {told.message}"
        return UnavailableError(message, retry_after=retry_after(headers))
    return refusal(
        doing,
        status=status,
        said=told.message or body[:200].decode("utf-8", "replace"),
        reason=told.reason or reason_of(status),
        headers=headers,
    )


def reason_of(status: int) -> str:
    """The word for a code that came without a Status."""
    return _BY_CODE.get(status, "")
