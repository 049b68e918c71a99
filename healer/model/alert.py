"""Alerts as Alertmanager sends them. Its words are kept; parsing is done in `intake.payload`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

Fingerprint = NewType("Fingerprint", str)
GroupKey = NewType("GroupKey", str)
Labels = Mapping[str, str]


class AlertStatus(StrEnum):
    """Whether the rule still holds."""

    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert of one series. `fingerprint` is Alertmanager's hash of the labels."""

    fingerprint: Fingerprint
    status: AlertStatus
    labels: Labels
    annotations: Labels = field(default_factory=dict[str, str])
    starts_at: datetime
    ends_at: datetime | None = None
    generator_url: str = ""

    @property
    def name(self) -> str:
        """The alert's name, or the empty text where it has none."""
        return self.labels.get("alertname", "")

    @property
    def firing(self) -> bool:
        """Does it fire?"""
        return self.status is AlertStatus.FIRING


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertGroup:
    """One delivery: alerts that Alertmanager grouped. `truncated` is how many it left out."""

    key: GroupKey
    receiver: str
    alerts: tuple[Alert, ...]
    truncated: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """What Alertmanager has now: what it would tell, and what it has but keeps to itself.

    `muted`: silenced, or inhibited by another alert. Nobody is told of these, but they do fire.
    """

    told: AlertGroup
    muted: frozenset[Fingerprint] = frozenset()
