"""What came of a drill: the record of healer, what people were told, and how long it took."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from healer.lab.contract import Object
from healer.lab.drill.scenario import Scenario

Wanted = Callable[[Object], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything, as it was read from the outside."""

    scenario: Scenario
    struck_at: datetime
    entries: Sequence[Object]
    """The timeline, as healer's API tells it."""
    slack: str
    pagerduty: str
    dry_run: bool
    factor: float
    """How many times as fast time ran."""
    changes: Sequence[str] = field(default_factory=tuple[str, ...])
    """After a dry run: what is different, and should not be."""
    moved: Sequence[str] = field(default_factory=tuple[str, ...])
    """Then also: objects of another resourceVersion, for whatever reason."""

    @property
    def healed(self) -> bool:
        """Did healer see with its own eyes that the fault is gone after it acted?"""
        return self._first(_is_healed) is not None

    @property
    def passed(self) -> bool:
        """Healed; or on a dry run rehearsed, and nothing touched."""
        if not self.dry_run:
            return self.healed
        rehearsed = any(_closed(entry) == "rehearsed" for entry in self.entries)
        return rehearsed and bool(self.steps) and not self.changes

    @property
    def steps(self) -> list[str]:
        """What came of each step, or would have."""
        return [
            str(entry["event"]["outcome"]["summary"])
            for entry in self.entries
            if entry["event"]["type"] == "StepFinished"
        ]

    @property
    def times(self) -> dict[str, float | None]:
        """Seconds from the fault to each milestone; None for what never came."""
        return {
            "detect": self._since(lambda entry: entry["event"]["type"] == "AlertsReceived"),
            "act": self._since(lambda entry: entry["event"]["type"] == "StepStarted"),
            "heal": self._since(_is_healed),
        }

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "drill": self.scenario.name,
            "fault": self.scenario.fault,
            "passed": self.passed,
            "dry_run": self.dry_run,
            "factor": self.factor,
            "seconds": self.times,
            "expected": self.scenario.expected,
            "steps": self.steps,
            "changes": list(self.changes),
            "moved": list(self.moved),
            "timeline": list(self.entries),
            "slack": self.slack,
            "pagerduty": self.pagerduty,
        }

    def _first(self, wanted: Wanted) -> Object | None:
        return next((entry for entry in self.entries if wanted(entry)), None)

    def _since(self, wanted: Wanted) -> float | None:
        found = self._first(wanted)
        if found is None:
            return None
        at = datetime.fromisoformat(str(found["at"]))
        return round((at - self.struck_at) / timedelta(seconds=1), 1)


def _is_healed(entry: Object) -> bool:
    event = entry["event"]
    return event["type"] == "Verified" and event["moment"] == "after" and bool(event["healed"])


def _closed(entry: Object) -> str:
    event = entry["event"]
    return str(event["ending"]) if event["type"] == "Closed" else ""
