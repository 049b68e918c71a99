"""What a rehearsal is given to play with: the daemon's own parts, as far as they touch no world."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from healer.action.contract import Action
from healer.guard.post import Surroundings, Watch
from healer.kit.clock import Clock
from healer.playbook.vocabulary import Vocabulary
from healer.timeline.contract import Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Real parts. `actions` are made upon nowhere: only those in `worldless` may be run."""

    vocabulary: Vocabulary
    actions: Callable[[Clock], Mapping[str, Action[Any]]]
    worldless: frozenset[str]
    watch: Callable[[Surroundings], Watch]
    timeline: Callable[[], Timeline]
