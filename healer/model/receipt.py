"""What became of the alerts of a delivery, in numbers: the answer to whoever delivered them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Alerts that opened an incident, joined one, were known, ended, or are nobody's."""

    opened: int = 0
    joined: int = 0
    repeated: int = 0
    resolved: int = 0
    unmatched: int = 0
