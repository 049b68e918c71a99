"""Drills on services that answer too slowly."""

from healer.lab.drill.scenario import Scenario

DRILLS = (
    Scenario(
        name="INC-001",
        fault="flood",
        what="more requests arrive than an inference service can answer, and its queue grows",
        remedy="queue-backed-up",
        expected="escalation after 30 min",
    ),
)
