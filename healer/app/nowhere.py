"""Every action and check upon no connection: they know all but the world."""

from typing import Any

from healer.app.vocabulary import (
    FREE_ACTIONS,
    FREE_CHECKS,
    KUBERNETES_ACTIONS,
    KUBERNETES_CHECKS,
    PROMETHEUS_ACTIONS,
    PROMETHEUS_CHECKS,
    Recipe,
)
from healer.engine.need import Words
from healer.kit.clock import Clock, SystemClock

WORLDLESS = frozenset(recipe.kind.name for recipe in FREE_ACTIONS)
"""Actions that may be run all the same."""


class Nowhere:
    """Stands where a client would. Using it is an error, which no rehearsal can make good."""

    def __getattr__(self, name: str) -> "Nowhere":
        return self


def words(clock: Clock | None = None) -> Words:
    """All of them, by name."""
    time = clock or SystemClock()

    def make(recipe: Recipe) -> tuple[str, Any]:
        client = time if recipe in FREE_ACTIONS else Nowhere()
        return recipe.kind.name, recipe.make(client, time)

    acting = (*KUBERNETES_ACTIONS, *PROMETHEUS_ACTIONS, *FREE_ACTIONS)
    looking = (*KUBERNETES_CHECKS, *PROMETHEUS_CHECKS, *FREE_CHECKS)
    return Words(
        actions=dict(map(make, acting)),
        checks=dict(map(make, looking)),
    )
