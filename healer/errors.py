"""Everything that can go wrong, named by its consequence.

    HealerError
    ├── ConfigError            refuse to start, or keep the last good set
    │   └── PlaybookError      the same, for playbooks
    ├── TemporaryError         try again, after `retry_after` where it is known
    │   └── UnavailableError   the other side is away, overloaded or talks nonsense
    ├── PermanentError         give up: trying again cannot help
    │   ├── RejectedError      the other side understood and refused
    │   └── StepTimeoutError   the step used up its time
    └── TimelineError          stop: we cannot record, so we must not act
        └── ConflictError      somebody else appended first: read again

Foreign exceptions are turned into these in `client/` and the adapters, `raise ... from`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong with a file, where it is, and what would be right."""

    path: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.message}"


class HealerError(Exception):
    """Root of all errors that healer raises on purpose."""


class ConfigError(HealerError):
    """Configuration that cannot be used; carries every fault found, not only the first."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


class PlaybookError(ConfigError):
    """Playbooks that cannot be used."""


class TemporaryError(HealerError):
    """It may work later."""

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnavailableError(TemporaryError):
    """The other side is away, overloaded, or answers what cannot be understood."""


class PermanentError(HealerError):
    """It will not work, however often it is tried."""


class RejectedError(PermanentError):
    """The other side understood and refused; `reason` is its own word for it, if it gave one."""

    def __init__(self, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class StepTimeoutError(PermanentError):
    """The step used up its time."""


class TimelineError(HealerError):
    """The record cannot be written or read: nothing may be done."""


class ConflictError(TimelineError):
    """The incident has moved on since it was read."""
