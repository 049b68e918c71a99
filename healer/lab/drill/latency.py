"""Drills on services that answer too slowly."""

from healer.lab.drill.scenario import Ending, Scenario

DRILLS = (
    Scenario(
        name="INC-001",
        fault="flood",
        what="more requests arrive than an inference service can answer, and its queue grows",
        remedy="queue-backed-up",
        expected="escalation after 30 min",
    ),
    Scenario(
        name="INC-001.gpu",
        fault="gpu-crowded",
        what="a GPU is so full that its server is slow, though hardly anybody waits",
        remedy="gpu-memory-high",
    ),
    Scenario(
        name="INC-001.long",
        fault="long-requests",
        what="a few requests ask for long answers, and nothing is wrong with the service",
        remedy="single-slow-requests",
        ending=Ending.UNTOUCHED,
        compared=True,
    ),
)
