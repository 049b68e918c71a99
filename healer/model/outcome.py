"""What guards, actions and checks answer: verdict, outcome, finding."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
Evidence = Mapping[str, Json]
ANY_NAME = "*"
"""Among the names of evidence: any other may be there, too, for only the world knows them."""


class Decision(StrEnum):
    """What a guard says, from lenient to strict."""

    ALLOW = "allow"
    HOLD = "hold"
    ASK = "ask"
    DENY = "deny"


_STRICTNESS = (Decision.ALLOW, Decision.HOLD, Decision.ASK, Decision.DENY)


def strictest(decisions: Iterable[Decision]) -> Decision:
    """The one that wins. Nothing asked is nothing forbidden: ALLOW."""
    return max(decisions, key=_STRICTNESS.index, default=Decision.ALLOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A guard's answer. `until` says when a HOLD may be asked again."""

    guard: str
    decision: Decision
    reason: str
    until: datetime | None = None


class Result(StrEnum):
    """How a step ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    ABANDONED = "abandoned"  # healer died while it ran, and the world does not tell what came of it
    SKIPPED = "skipped"  # dry-run: nothing was done, the summary says what would have been


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a step, in words and in facts."""

    result: Result
    summary: str
    evidence: Evidence = field(default_factory=dict[str, Json])
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check saw. `known` is false where it could not look: that is neither yes nor no."""

    check: str
    holds: bool
    summary: str
    evidence: Evidence = field(default_factory=dict[str, Json])
    known: bool = True

    @property
    def told(self) -> str:
        """Its name and what it saw; `breaker ssd is open` is not told as `breaker breaker ssd`."""
        return with_name(self.check, self.summary)


def with_name(check: str, said: str) -> str:
    """What a check says behind its name, which may be its first word already."""
    return said if said.startswith(f"{check} ") else f"{check} {said}"
