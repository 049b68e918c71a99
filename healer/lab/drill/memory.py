"""Drills on memory that is used up: of a server, and of its GPU."""

from datetime import timedelta

from healer.lab.drill.scenario import Ending, Scenario

EXPECTED, WITHIN = "2 to 5 min", timedelta(minutes=5)

DRILLS = (
    Scenario(
        name="SCENARIO-3",
        fault="leak",
        what="a server leaks, and its memory is nearly used up",
        remedy="leak",
        expected=EXPECTED,
        within=WITHIN,
    ),
    Scenario(
        name="SCENARIO-3.killed",
        fault="leak-fast",
        what="a server needs more memory at once than it may have, and the kernel kills it",
        remedy="killed-once",
        expected=EXPECTED,
        within=WITHIN,
    ),
    Scenario(
        name="SCENARIO-3.steady",
        fault="memory-full",
        what="the memory of a server is nearly used up, and does not grow: it is the load",
        remedy="full-and-steady",
        ending=Ending.UNTOUCHED,
    ),
    Scenario(
        name="SCENARIO-3.again",
        fault="crash-loop-memory",
        what="the kernel kills a server for want of memory again and again",
        remedy="killed-again",
        ending=Ending.UNTOUCHED,
    ),
    Scenario(
        name="SCENARIO-3.crash",
        fault="crash-loop",
        what="a server crashes again and again, with memory to spare",
        remedy="restarts-for-another-reason",
        ending=Ending.UNTOUCHED,
    ),
    Scenario(
        name="SCENARIO-3.stalled",
        fault="engine-stalls",
        what="the engine of a server makes no progress, with memory to spare",
        remedy="not-the-memory",
        ending=Ending.UNTOUCHED,
        compared=True,
    ),
    Scenario(
        name="INC-004",
        fault="gpu-full",
        what="a release keeps room for more sequences than its GPUs have memory for",
        remedy="fewer-sequences",
    ),
    Scenario(
        name="INC-004.again",
        fault="gpu-full-again",
        what="a release cuts its GPUs' memory into small pieces, and few sequences are allowed",
        remedy="allocator",
    ),
    Scenario(
        name="INC-004.leaks",
        fault="gpu-leaks",
        what="a release leaks from its start, so that each cure frees the GPU for a while only",
        remedy="allocator",
        ending=Ending.HANDED_OVER,
    ),
    Scenario(
        name="INC-004.left",
        fault="gpu-full-left",
        what="the model of a release nearly fills its GPUs, and every cure is there before",
        remedy="nothing-left",
        ending=Ending.UNTOUCHED,
    ),
)
