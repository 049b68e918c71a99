"""What came of a drill: the record of healer, what people were told, and how long it took."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from healer.lab.contract import Object
from healer.lab.drill.scenario import Ending, Scenario

Wanted = Callable[[Object], bool]

_WAITING = ("flow.", "kubernetes.rollout-status")

REACTS_WITHIN = 1.0
"""Seconds from the alert to the first step, where neither a guard nor a person bids to wait."""


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
    series: Sequence[tuple[float, float]] = field(default_factory=tuple[tuple[float, float], ...])
    """The telling metric: seconds since the fault, and its value then."""
    mended_at: datetime | None = None
    """When the drill itself took away what was left of the fault."""
    incidents: int = 1
    """How many incidents of the service were opened meanwhile."""
    changes: Sequence[str] = field(default_factory=tuple[str, ...])
    """Where it was compared, as after a dry run: what is different, and should not be."""
    moved: Sequence[str] = field(default_factory=tuple[str, ...])
    """Then also: objects of another resourceVersion, for whatever reason."""
    written: Sequence[str] = field(default_factory=tuple[str, ...])
    """What healer asked the API server to change, by the audit log of that server."""
    stopped: str = ""
    """Why it could not be run to its end, where it could not."""
    reacts_within: float = REACTS_WITHIN
    """Seconds; more than is promised where the machine has other work."""

    @property
    def passed(self) -> bool:
        """Ended as it must; or on a dry run rehearsed, and nothing touched."""
        return not self.faults

    @property
    def faults(self) -> list[str]:
        """What is not as it must be, a sentence each."""
        if self.stopped:
            return [f"it could not be run: {self.stopped}"]
        return list(self._rehearsal_faults() if self.dry_run else self._faults())

    @property
    def remedy(self) -> str:
        """The branch that was chosen last; '' where none was."""
        chosen = [one["event"] for one in self.entries if one["event"]["type"] == "Chosen"]
        return str(chosen[-1]["remedy"]) if chosen else ""

    @property
    def alerts(self) -> int:
        """How many alerts there were of the incident."""
        received = (one["event"] for one in self.entries)
        return len(
            {
                alert["fingerprint"]
                for event in received
                if event["type"] == "AlertsReceived"
                for alert in event["alerts"]
            }
        )

    @property
    def touched(self) -> list[str]:
        """Steps that were begun and may have changed something: all but waiting."""
        started = [one["event"] for one in self.entries if one["event"]["type"] == "StepStarted"]
        return [str(one["step"]) for one in started if not str(one["action"]).startswith(_WAITING)]

    def _faults(self) -> Iterator[str]:
        wanted = self.scenario
        if not wanted.incidents <= self.incidents <= wanted.incidents + wanted.beside:
            yield f"{self.incidents} incidents were opened, not {wanted.incidents}"
        if self.alerts < wanted.alerts:
            yield f"its incident unites {self.alerts} alerts, not {wanted.alerts} or more"
        if self.remedy != wanted.remedy:
            yield f"the branch {self.remedy or 'none'} was chosen, not {wanted.remedy or 'none'}"
        if self._first(_told) is None:
            yield "nobody was told"
        if self.react is not None and self.react >= self.reacts_within and not self._bidden_to_wait:
            late = f"{self.react:.2f} s after the alert, not < {self.reacts_within:g}"
            yield f"its first step came {late}"
        match wanted.ending:
            case Ending.HEALED:
                yield from self._not_healed()
            case Ending.UNTOUCHED:
                yield from self._not_untouched()
            case Ending.HANDED_OVER:
                yield from self._not_handed_over()

    def _not_healed(self) -> Iterator[str]:
        took, within = self.times["heal"], self.scenario.within
        if took is None:
            yield "it was not healed"
        elif within is not None and took > within.total_seconds():
            yield f"it took longer than the {self.scenario.expected} that the runbook expects"

    def _not_untouched(self) -> Iterator[str]:
        if self.touched:
            yield f"it was touched by {', '.join(self.touched)}"
        yield from self._not_as_before()
        if not any(_reason(entry) for entry in self.entries):
            yield "no reason was given for leaving it alone"
        if self.scenario.remedy and not (self._called or self._first(_is_asked)):
            yield "no person was called"

    def _not_handed_over(self) -> Iterator[str]:
        if not self.touched:
            yield "nothing was tried"
        if any(map(self._is_healed_amid, self.entries)):
            yield "it was called healed"
        if not self._called:
            yield "no person was called"

    def _rehearsal_faults(self) -> Iterator[str]:
        if self._first(lambda entry: entry["event"]["type"] == "Rehearsed") is None:
            yield "it was not rehearsed to its end"
        if self.scenario.ending is not Ending.UNTOUCHED and not self.steps:
            yield "no step was rehearsed"
        yield from self._not_as_before()

    def _not_as_before(self) -> Iterator[str]:
        yield from self.changes
        yield from (f"healer asked the API server to {one}" for one in self.written)

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
            "detect": self._since(_is_alert),
            "act": self._since(_is_step),
            "heal": self._since(_is_healed),
        }

    @property
    def react(self) -> float | None:
        """Seconds from the alert in the record to the first step; None where there was none."""
        alert, step = self._first(_is_alert), self._first(_is_step)
        if alert is None or step is None:
            return None
        return round(self.since(step) - self.since(alert), 3)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "drill": self.scenario.name,
            "fault": self.scenario.fault,
            "playbook": self.scenario.playbook,
            "remedy": self.remedy,
            "ending": self.scenario.ending.value,
            "passed": self.passed,
            "faults": self.faults,
            "dry_run": self.dry_run,
            "factor": self.factor,
            "seconds": {**self.times, "react": self.react},
            "expected": self.scenario.expected,
            "steps": self.steps,
            "changes": list(self.changes),
            "moved": list(self.moved),
            "written": list(self.written),
            "series": list(self.series),
            "timeline": list(self.entries),
            "slack": self.slack,
            "pagerduty": self.pagerduty,
        }

    def _is_healed_amid(self, entry: Object) -> bool:
        """Called healed while the fault was there, and not after the drill took it away itself."""
        at = datetime.fromisoformat(str(entry["at"]))
        return _is_healed(entry) and (self.mended_at is None or at < self.mended_at)

    @property
    def _called(self) -> bool:
        return self._first(lambda entry: entry["event"]["type"] == "Escalated") is not None

    @property
    def _bidden_to_wait(self) -> bool:
        """Did a guard hold the first step, or ask a person for it?"""
        before = takewhile(lambda entry: not _is_step(entry), self.entries)
        return any(_is_bid_to_wait(entry) for entry in before)

    def _first(self, wanted: Wanted) -> Object | None:
        return next((entry for entry in self.entries if wanted(entry)), None)

    def _since(self, wanted: Wanted) -> float | None:
        found = self._first(wanted)
        return None if found is None else round(self.since(found), 1)

    def since(self, entry: Object) -> float:
        """Seconds from the fault to an entry."""
        at = datetime.fromisoformat(str(entry["at"]))
        return (at - self.struck_at) / timedelta(seconds=1)


def _is_alert(entry: Object) -> bool:
    return bool(entry["event"]["type"] == "AlertsReceived")


def _is_step(entry: Object) -> bool:
    return bool(entry["event"]["type"] == "StepStarted")


def _is_bid_to_wait(entry: Object) -> bool:
    event = entry["event"]
    return event["type"] == "Judged" and event["decision"] in ("hold", "ask")


def _is_asked(entry: Object) -> bool:
    event = entry["event"]
    return bool(event["type"] == "Judged" and event["decision"] == "ask")


def _is_healed(entry: Object) -> bool:
    event = entry["event"]
    return event["type"] == "Verified" and event["moment"] == "after" and bool(event["healed"])


def _told(entry: Object) -> bool:
    return bool(entry["event"]["type"] == "NoticeSent")


def _reason(entry: Object) -> str:
    """Why nothing is done, where this entry says so."""
    event = entry["event"]
    if event["type"] == "Judged" and event["decision"] in ("hold", "ask", "deny"):
        return "; ".join(str(one["reason"]) for one in event["verdicts"])
    return str(event["reason"]) if event["type"] in ("Escalated", "Denied", "Closed") else ""


def in_words(took: float | None, *, digits: int = 1) -> str:
    """Seconds as tables show them; `-` for what never came."""
    return "-" if took is None else f"{took:.{digits}f} s"
