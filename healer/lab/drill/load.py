"""Drills on services that get more requests than they can take."""

from datetime import timedelta

from healer.lab.drill.scenario import Ending, Scenario

DRILLS = (
    Scenario(
        name="SCENARIO-4",
        fault="overload",
        what="more requests arrive than an inference service can hold, and it refuses some",
        remedy="scale-up",
        expected="5 to 10 min",
        within=timedelta(minutes=10),
    ),
    Scenario(
        name="SCENARIO-4.at-maximum",
        fault="overload-at-maximum",
        what="more requests arrive than can be held, and the autoscaler is at its maximum",
        remedy="at-maximum",
        ending=Ending.UNTOUCHED,
    ),
    Scenario(
        name="SCENARIO-4.coming",
        fault="overload-replicas-coming",
        what="more requests arrive than can be held, and the autoscaler has asked for all it may",
        remedy="replicas-on-their-way",
        expected="5 to 10 min",
        within=timedelta(minutes=10),
    ),
    Scenario(
        name="SCENARIO-4.failing",
        fault="errors-not-refusals",
        what="the requests of an inference service fail, and none is refused",
        remedy="failing-not-refused",
        ending=Ending.UNTOUCHED,
    ),
)
