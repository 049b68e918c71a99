"""What rehearsals play with: the real words, guards and actions, and no connection."""

from collections.abc import Mapping
from typing import Any

from healer.action.contract import Action
from healer.app.guard import post
from healer.app.vocabulary import (
    FREE_ACTIONS,
    KUBERNETES_ACTIONS,
    PROMETHEUS_ACTIONS,
    vocabulary,
)
from healer.kit.clock import Clock
from healer.rehearse.contract import Cast
from healer.timeline.memory import MemoryTimeline


class Nowhere:
    """Stands where a client would; an action made upon it knows all but the world."""

    def __getattr__(self, name: str) -> "Nowhere":
        return self


def cast() -> Cast:
    """The parts of the daemon as it is shipped."""
    return Cast(
        vocabulary=vocabulary(),
        actions=_actions,
        worldless=frozenset(recipe.kind.name for recipe in FREE_ACTIONS),
        watch=post,
        timeline=MemoryTimeline,
    )


def _actions(clock: Clock) -> Mapping[str, Action[Any]]:
    acting = (*KUBERNETES_ACTIONS, *PROMETHEUS_ACTIONS, *FREE_ACTIONS)
    return {
        recipe.kind.name: recipe.make(clock if recipe in FREE_ACTIONS else Nowhere(), clock)
        for recipe in acting
    }
