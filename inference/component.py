"""A part of the server as health tells of it: a status, a sentence and the numbers behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum


class Status(IntEnum):
    """The value of the metric `health_check_status`."""

    HEALTHY = 0
    DEGRADED = 1
    UNHEALTHY = 2
    CRITICAL = 3

    @property
    def word(self) -> str:
        """As operators write it."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One part's state."""

    status: Status
    message: str = ""
    numbers: dict[str, float | int | str] = field(default_factory=dict[str, float | int | str])
    devices: Sequence[Mapping[str, object]] = ()
    """Where a part is several things of one kind, each of them."""
