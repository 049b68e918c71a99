"""Drills on volumes that fill up."""

from datetime import timedelta

from healer.lab.drill.scenario import Ending, Scenario

DRILLS = (
    Scenario(
        name="SCENARIO-2",
        fault="full-volume",
        what="the cache volume of an inference service fills up until nothing can be written",
        remedy="evict-old-cache",
        expected="< 5 min",
        within=timedelta(minutes=5),
    ),
    Scenario(
        name="SCENARIO-2.grow",
        fault="full-volume-young",
        what="the cache volume fills up with files that are in use, and its class lets it grow",
        remedy="grow-the-claim",
        expected="< 30 min with expansion",
        within=timedelta(minutes=30),
    ),
    Scenario(
        name="SCENARIO-2.fixed",
        fault="full-volume-young-fixed",
        what="the cache volume fills up with files that are in use, and its class cannot grow",
        remedy="report-young-files",
        ending=Ending.UNTOUCHED,
        compared=True,
    ),
    Scenario(
        name="SCENARIO-2.mistaken",
        fault="disk-alert-mistaken",
        what="a volume with room is called nearly full, and other things degrade the service",
        remedy="not-the-disk",
        ending=Ending.UNTOUCHED,
        compared=True,
    ),
    Scenario(
        name="INC-007",
        fault="filling-disk",
        what="old models, logs and checkpoints fill the volume of an inference service",
        remedy="make-room",
    ),
    Scenario(
        name="INC-007.models",
        fault="filling-disk-old-models",
        what="the same, and to take old models away is enough",
        remedy="make-room",
    ),
    Scenario(
        name="INC-007.in-use",
        fault="filling-disk-in-use",
        what="the volume fills up with data and with checkpoints of a training that goes on",
        remedy="report-what-fills-it",
        ending=Ending.UNTOUCHED,
        compared=True,
    ),
)
