"""Label matchers with Alertmanager's meaning: anchored expressions, a missing label is empty."""

import re
from dataclasses import dataclass
from enum import StrEnum

from healer.model.alert import Labels

LONGEST = 4096
"""A longer value satisfies no expression, neither way: labels are hostile, and `re` backtracks."""


class MatchOp(StrEnum):
    """The four operators."""

    EQUAL = "="
    NOT_EQUAL = "!="
    MATCHES = "=~"
    NOT_MATCHES = "!~"


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """One condition on one label."""

    label: str
    op: MatchOp
    value: str

    def matches(self, labels: Labels) -> bool:
        """Does it hold for these labels?"""
        found = labels.get(self.label, "")
        match self.op:
            case MatchOp.EQUAL:
                return found == self.value
            case MatchOp.NOT_EQUAL:
                return found != self.value
            case MatchOp.MATCHES:
                return len(found) <= LONGEST and re.fullmatch(self.value, found) is not None
            case MatchOp.NOT_MATCHES:
                return len(found) <= LONGEST and re.fullmatch(self.value, found) is None

    def __str__(self) -> str:
        return f'{self.label}{self.op}"{self.value}"'


def all_match(matchers: tuple[Matcher, ...], labels: Labels) -> bool:
    """Do all hold? No matchers at all mean nothing, never everything."""
    return bool(matchers) and all(matcher.matches(labels) for matcher in matchers)
