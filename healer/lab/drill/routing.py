"""Drills on the router that sends requests to experts."""

from healer.lab.drill.scenario import Ending, Scenario

DRILLS = (
    Scenario(
        name="INC-005",
        fault="classifier-repaired",
        what="routers could not load their classifier when they started, and now they could",
        remedy="classifier-not-loaded",
    ),
    Scenario(
        name="INC-005.late",
        fault="classifier-late",
        what="routers could not load their classifier when they started, and soon they load it",
        remedy="heals-itself",
    ),
    Scenario(
        name="INC-005.back",
        fault="expert-passes",
        what="an expert hangs for a while, and is back before anybody hears of it",
        remedy="heals-itself",
    ),
    Scenario(
        name="INC-005.damaged",
        fault="classifier-damaged",
        what="routers cannot load their classifier, for its file is damaged",
        remedy="classifier-damaged",
        ending=Ending.UNTOUCHED,
    ),
    Scenario(
        name="INC-005.expert",
        fault="expert-hangs",
        what="an expert hangs, and what belongs to it goes to the default expert",
        remedy="expert-away",
        ending=Ending.UNTOUCHED,
    ),
    Scenario(
        name="INC-005.slow",
        fault="classifier-slow",
        what="the classifier has less time than it takes, so requests go to the default expert",
        remedy="not-what-is-asked",
        ending=Ending.UNTOUCHED,
    ),
    Scenario(
        name="INC-005.odd",
        fault="odd-requests",
        what="what is asked suits no expert, and nothing is broken",
        remedy="suits-nobody",
        ending=Ending.UNTOUCHED,
    ),
)
