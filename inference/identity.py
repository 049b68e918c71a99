"""Who a request is, for logs and spans: its own id, and the trace that it belongs to.

Whatever is logged while a request is handled carries both; the answer carries the id.
"""

import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import uuid4

from inference.spans import Span

_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_PARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Of one request; without a trace its trace id is empty."""

    request: str
    trace: str = ""
    span: Span | None = None


CURRENT: ContextVar[Identity | None] = ContextVar("identity", default=None)


def tell(told: Mapping[str, str | float]) -> None:
    """Say something about the present request on its span, where it has one: by attribute."""
    identity = CURRENT.get()
    if identity is not None and identity.span is not None:
        for key, value in told.items():
            identity.span.set_attribute(key, value)


def identity_of(given: str | None, parent: str | None) -> Identity:
    """From X-Request-Id and W3C's traceparent; what is no id of either kind is not repeated."""
    name = given if given and _ID.fullmatch(given) else f"req-{uuid4().hex}"
    found = _PARENT.fullmatch(parent or "")
    trace = found[1] if found and set(found[1]) != {"0"} else ""
    return Identity(request=name, trace=trace)
