"""Drills on requests that fail."""

from healer.lab.drill.scenario import Ending, Scenario

DRILLS = (
    Scenario(
        name="INC-002",
        fault="cuda-errors",
        what="torch refuses the device of one server, whose requests all fail",
        remedy="cuda-errors",
    ),
    Scenario(
        name="INC-002.memory",
        fault="memory-errors",
        what="the servers ask for more memory than there is, and their requests fail",
        remedy="out-of-memory",
    ),
    Scenario(
        name="INC-002.everywhere",
        fault="cuda-errors-everywhere",
        what="torch refuses the device of every server, so that new pods would fare no better",
        remedy="cuda-everywhere",
        ending=Ending.UNTOUCHED,
    ),
    Scenario(
        name="INC-002.connection",
        fault="errors-connection",
        what="a server does not reach what it needs over the network, and its requests fail",
        remedy="connection-errors",
        ending=Ending.UNTOUCHED,
    ),
    Scenario(
        name="INC-002.other",
        fault="errors-other",
        what="the sums of one server do not fit any more, and its requests fail",
        remedy="other-errors",
        ending=Ending.UNTOUCHED,
    ),
)
