"""The drills there are: which fault, and what the runbook expects of its cure."""

from collections.abc import Mapping
from dataclasses import dataclass

from healer.lab.fault.catalog import FAULTS
from healer.lab.fault.contract import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One drill. Its name is that of the playbook that must heal it."""

    name: str
    fault: str
    what: str
    """What is broken, for a person who has never seen it."""
    expected: str
    """How soon the runbook expects it healed."""

    @property
    def cause(self) -> Fault:
        """What breaks it."""
        return FAULTS[self.fault]

    @property
    def service(self) -> str:
        """What is broken."""
        return self.cause.service


_ALL = (
    Scenario(
        name="SCENARIO-2",
        fault="full-volume",
        what="the cache volume of an inference service fills up until nothing can be written",
        expected="< 5 min",
    ),
    Scenario(
        name="INC-001",
        fault="flood",
        what="more requests arrive than an inference service can answer, and its queue grows",
        expected="escalation after 30 min",
    ),
)

SCENARIOS: Mapping[str, Scenario] = {scenario.name: scenario for scenario in _ALL}
