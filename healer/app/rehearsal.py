"""What rehearsals play with: the real words, guards and actions, and no connection."""

from healer.app.guard import post
from healer.app.nowhere import WORLDLESS, words
from healer.app.vocabulary import vocabulary
from healer.rehearse.contract import Cast
from healer.timeline.memory import MemoryTimeline


def cast() -> Cast:
    """The parts of the daemon as it is shipped."""
    return Cast(
        vocabulary=vocabulary(),
        actions=lambda clock: words(clock).actions,
        worldless=WORLDLESS,
        watch=post,
        timeline=MemoryTimeline,
    )
