"""One drill: which fault, which playbook and branch must answer it, and how it must end."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from healer.lab.drill.operator import Answer
from healer.lab.drill.telling import TELLING, Metric
from healer.lab.fault.catalog import FAULTS
from healer.lab.fault.contract import Fault


class Ending(StrEnum):
    """How a drill must end."""

    HEALED = "healed"
    """healer acted, and saw with its own eyes that the fault is gone."""
    UNTOUCHED = "untouched"
    """Nothing was changed, the reason was said, and people were told."""
    HANDED_OVER = "handed over"
    """healer acted, it did not heal, and a person was called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One drill. Its name is the playbook, and a suffix for other branches and twins."""

    name: str
    fault: str
    what: str
    """What is broken, for a person who has never seen it."""
    remedy: str
    """The branch that must be chosen; '' where none may be."""
    ending: Ending = Ending.HEALED
    expected: str = ""
    """How soon the runbook expects it healed, in its words."""
    within: timedelta | None = None
    """The same as a bound, where the runbook gives one."""
    compared: bool = False
    """Are all objects and files looked at before and after, so that untouched is proven?"""
    answer: Answer = Answer.NONE
    """What the person who drills says when healer asks for approval."""
    incidents: int = 1
    """How many incidents it must make of its service, whatever the number of alerts."""
    alerts: int = 1
    """How many alerts its incident must unite at the least, which pages once for all of them."""
    beside: int = 0
    """How many more it may make: an alert that names the cause is told by itself, if in time."""

    @property
    def playbook(self) -> str:
        """The playbook that must answer."""
        return self.name.partition(".")[0]

    @property
    def telling(self) -> Metric | None:
        """The metric that tells of it."""
        return TELLING.get(self.playbook)

    @property
    def cause(self) -> Fault:
        """What breaks it."""
        return FAULTS[self.fault]

    @property
    def service(self) -> str:
        """What is broken."""
        return self.cause.service
