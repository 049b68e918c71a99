"""Drills on services of which no replica is ready."""

from healer.lab.drill.scenario import Ending, Scenario

DRILLS = (
    Scenario(
        name="INC-003",
        fault="release-model-missing",
        what="a release names a model that is not there, and all pods crash",
        remedy="bad-release",
    ),
    Scenario(
        name="INC-003.starting",
        fault="pods-deleted",
        what="all pods are deleted at once, and come again by themselves",
        remedy="starting",
    ),
    Scenario(
        name="INC-003.gpu",
        fault="gpu-lost",
        what="the node loses its GPUs, and the pods find no place",
        remedy="no-room",
        ending=Ending.UNTOUCHED,
    ),
)
