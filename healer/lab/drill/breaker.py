"""Drills on the SSD of the servers and on the circuit breaker before it."""

from datetime import timedelta

from healer.lab.drill.operator import Answer
from healer.lab.drill.scenario import Ending, Scenario

_MINUTE = timedelta(minutes=1)

DRILLS = (
    Scenario(
        name="SCENARIO-1",
        fault="ssd-passing",
        what="the kernel turns the cache volume read-only, and it is well again after a while",
        remedy="heals-itself",
        expected="< 1 min, by itself",
        within=_MINUTE,
    ),
    Scenario(
        name="SCENARIO-1.remount",
        fault="ssd-read-only",
        what="the kernel turns the cache volume read-only, and somebody approves to remount it",
        remedy="read-only",
        answer=Answer.APPROVE,
        expected="< 1 min",
        within=_MINUTE,
    ),
    Scenario(
        name="SCENARIO-1.denied",
        fault="ssd-read-only-long",
        what="the kernel turns the cache volume read-only, and nobody wants it remounted",
        remedy="read-only",
        ending=Ending.UNTOUCHED,
        answer=Answer.DENY,
        alerts=4,  # a circuit of each server, first open and then stuck, and the service as a whole
    ),
    Scenario(
        name="SCENARIO-1.failing",
        fault="ssd-no-inodes",
        what="writing to the cache volume fails, though it is mounted writable and has room",
        remedy="failing-volume",
        ending=Ending.UNTOUCHED,
    ),
    Scenario(
        name="SCENARIO-1.paused",
        fault="breaker-held-young",
        what="the cache volume was away for a moment, and nobody tests it for an hour",
        remedy="open-over-sound-volume",
        expected="< 1 min",
        within=_MINUTE,
    ),
    Scenario(
        name="SCENARIO-1.marks",
        fault="ssd-marks-too-high",
        what="a release lets the servers call a volume too full that has room by every alert",
        remedy="not-the-circuit",
        ending=Ending.UNTOUCHED,
        compared=True,
    ),
    Scenario(
        name="SCENARIO-5",
        fault="breaker-held",
        what="circuits stay open for 15 minutes over a volume that works again",
        remedy="reset",
        expected="30 to 60 s, at once by reset",
        within=_MINUTE,
    ),
    Scenario(
        name="SCENARIO-5.closes",
        fault="breaker-closing",
        what="circuits were open for 15 minutes over a volume that has just been repaired",
        remedy="closes-itself",
        expected="30 to 60 s",
        within=_MINUTE,
    ),
    Scenario(
        name="SCENARIO-5.still-broken",
        fault="breaker-held-broken",
        what="circuits stay open for 15 minutes over a volume that is still broken",
        remedy="still-broken",
        ending=Ending.UNTOUCHED,
    ),
)
