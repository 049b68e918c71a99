"""Circuit breakers as an inference server tells of them, each with the health of what it protects.

Pure: made of two answers of the server. A breaker and the component that it protects have one name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

CLOSED = "closed"
UNKNOWN = "unknown"
_WORKING = ("healthy", "degraded")
"""The best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """One breaker. `dependency` is what the server's own test says of what lies behind it."""

    name: str
    state: str
    value: int
    protects: str
    open_seconds: float
    next_try_seconds: float
    consecutive_failures: int
    times_opened: int
    last_error: str
    dependency: str = UNKNOWN
    complaint: str = ""
    """What is wrong with it, in the server's words."""

    @property
    def closed(self) -> bool:
        """Half-open is not closed: it is being tried."""
        return self.state == CLOSED

    @property
    def works(self) -> bool:
        """Does the dependency work? What nobody tells does not."""
        return self.dependency in _WORKING

    @property
    def ailing(self) -> int:
        """How ill the dependency is: 0 is healthy; of what does not work, none is the worse."""
        return _WORKING.index(self.dependency) if self.works else len(_WORKING)


def circuits_of(breakers: Mapping[str, Any], components: Mapping[str, Any]) -> tuple[Circuit, ...]:
    """What /admin/circuit-breaker/status and /health/components say together."""
    parts = _map(components.get("components"))
    return tuple(
        _circuit(name, _map(told), _map(parts.get(name)))
        for name, told in breakers.items()
        if isinstance(told, dict)
    )


def _circuit(name: str, told: Mapping[str, Any], part: Mapping[str, Any]) -> Circuit:
    return Circuit(
        name=name,
        state=str(told.get("state", UNKNOWN)),
        value=int(_number(told, "value")),
        protects=str(told.get("protects", "")),
        open_seconds=_number(told, "open_seconds"),
        next_try_seconds=_number(told, "next_try_seconds"),
        consecutive_failures=int(_number(told, "consecutive_failures")),
        times_opened=int(_number(told, "times_opened")),
        last_error=str(told.get("last_error") or ""),
        dependency=str(part.get("status", UNKNOWN)),
        complaint=str(part.get("message") or ""),
    )


def _number(told: Mapping[str, Any], name: str) -> float:
    found = told.get(name)
    return float(found) if isinstance(found, int | float) else 0.0


def _map(value: Any) -> Mapping[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
