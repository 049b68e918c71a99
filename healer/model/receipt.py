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

    def counts(self) -> dict[str, int]:
        """Its numbers by name."""
        return {
            "opened": self.opened,
            "joined": self.joined,
            "repeated": self.repeated,
            "resolved": self.resolved,
            "unmatched": self.unmatched,
        }
