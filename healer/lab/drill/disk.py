"""Drills on volumes that fill up."""

from datetime import timedelta

from healer.lab.drill.scenario import Scenario

DRILLS = (
    Scenario(
        name="SCENARIO-2",
        fault="full-volume",
        what="the cache volume of an inference service fills up until nothing can be written",
        remedy="evict-old-cache",
        expected="< 5 min",
        within=timedelta(minutes=5),
    ),
)
