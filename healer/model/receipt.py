"""What became of the alerts of a delivery, in numbers."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Alerts that opened an incident, joined one, were known, ended, or are nobody's.

    `services` holds the same numbers for each service; nobody's alerts stand under ''.
    """

    opened: int = 0
    joined: int = 0
    repeated: int = 0
    resolved: int = 0
    unmatched: int = 0
    services: Mapping[str, Mapping[str, int]] = field(
        default_factory=dict[str, Mapping[str, int]], compare=False
    )


def receipt_of(tally: Mapping[tuple[str, str], int]) -> Receipt:
    """The receipt of what was counted by (service, outcome)."""
    services: dict[str, dict[str, int]] = {}
    totals: Counter[str] = Counter()
    for (service, outcome), count in tally.items():
        if count:
            services.setdefault(service, {})[outcome] = count
            totals[outcome] += count
    return Receipt(
        opened=totals["opened"],
        joined=totals["joined"],
        repeated=totals["repeated"],
        resolved=totals["resolved"],
        unmatched=totals["unmatched"],
        services=services,
    )
