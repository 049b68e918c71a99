"""A runbook as data: when it applies, what it looks at, what it may do, and when it is healed.

The YAML document is described in `playbook.schema`; this is what remains after it was checked.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import NewType

from healer.model.alert import Labels
from healer.model.matcher import Matcher, all_match
from healer.model.outcome import Json

StepId = NewType("StepId", str)
Params = Mapping[str, Json]
"""Parameters as written: texts may still hold {{ templates }}."""


class Mode(StrEnum):
    """The ladder of trust, from the first rung to the last."""

    OBSERVE = "observe"
    DRY_RUN = "dry-run"
    APPROVE = "approve"
    AUTO = "auto"


class Undo(StrEnum):
    """When a step is taken back."""

    NEVER = "never"
    ON_FAILURE = "on-failure"  # when the round it belongs to did not heal
    AFTERWARDS = "afterwards"  # then too, and also once the fault has stayed away for the watch


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardSpec:
    """A guard that this playbook asks for, with its parameters."""

    guard: str
    params: Params = field(default_factory=dict[str, Json])
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSpec:
    """A named, read-only question. `path` is where it stands in the YAML: `diagnose/0`."""

    id: str
    check: str
    params: Params = field(default_factory=dict[str, Json])
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One action, and whether it is taken back."""

    id: StepId
    action: str
    params: Params = field(default_factory=dict[str, Json])
    timeout: timedelta = timedelta(minutes=1)
    attempts: int = 1
    undo: Undo = Undo.NEVER
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """One branch: the first whose condition (CEL) holds is taken. No steps: report only."""

    name: str
    when: str
    because: str = ""
    steps: tuple[Step, ...] = ()
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """Healed means: `until` (CEL) holds, and stays so for `for_`, before `timeout` is over."""

    until: str
    for_: timedelta
    timeout: timedelta
    every: timedelta
    watch: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalate:
    """When a human is called: after a time, at once on `when` (CEL), or after failures."""

    after: timedelta | None = None
    when: str = ""
    to: tuple[str, ...] = ()
    failures: int = 2
    update_every: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Playbook:
    """One procedure of one runbook. `match` holds alternatives; within one, all must hold.

    `joins` are playbooks whose open incident on the same target its alerts join, instead of opening
    one of their own: names for the same trouble, at another age or seen from another side.
    """

    name: str
    title: str
    path: str
    digest: str
    match: tuple[tuple[Matcher, ...], ...]
    services: tuple[str, ...] = ()
    joins: tuple[str, ...] = ()
    mode: Mode = Mode.APPROVE
    runbook: str = ""
    target: str = ""
    guards: tuple[GuardSpec, ...] = ()
    diagnose: tuple[CheckSpec, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    verify: Verify
    escalate: Escalate = field(default_factory=Escalate)

    def specificity(self, service: str, labels: Labels) -> int | None:
        """How many conditions hold in its best alternative; None where none holds whole."""
        if self.services and service not in self.services:
            return None
        fitting = [len(matchers) for matchers in self.match if all_match(matchers, labels)]
        return max(fitting) + bool(self.services) if fitting else None


def select(playbooks: Iterable[Playbook], service: str, labels: Labels) -> Playbook | None:
    """The most specific playbook for an alert; among equals the first by name, so it is stable."""
    fitting = [
        (-specificity, playbook.name, playbook)
        for playbook in playbooks
        if (specificity := playbook.specificity(service, labels)) is not None
    ]
    return min(fitting, key=lambda row: row[:2])[2] if fitting else None
