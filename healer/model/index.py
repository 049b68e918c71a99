"""Finding among many what an alert may match, without asking every one. Whoever is found is asked.

Each is filed under one `=` matcher of each of its alternatives; who has none is always a candidate.
"""

from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

from healer.model.alert import Labels
from healer.model.matcher import Matcher, MatchOp

ItemT = TypeVar("ItemT")
Alternatives = Iterable[tuple[Matcher, ...]]


class Index(Generic[ItemT]):
    """Items by what they match. Candidates come in the order in which the items were given."""

    def __init__(self, items: Iterable[tuple[Alternatives, ItemT]]) -> None:
        self._filed: dict[str, dict[str, dict[int, ItemT]]] = {}
        self._loose: dict[int, ItemT] = {}
        for rank, (alternatives, item) in enumerate(items):
            for matchers in alternatives:
                self._drawer(matchers)[rank] = item

    def candidates(self, labels: Labels) -> Sequence[ItemT]:
        """All that may match these labels, and perhaps some that do not."""
        found = self._loose
        for label, values in self._filed.items():
            if drawer := values.get(labels.get(label, "")):
                found = {**found, **drawer}
        return [found[rank] for rank in sorted(found)]

    def _drawer(self, matchers: tuple[Matcher, ...]) -> dict[int, ItemT]:
        for matcher in matchers:
            if matcher.op is MatchOp.EQUAL and matcher.value:
                return self._filed.setdefault(matcher.label, {}).setdefault(matcher.value, {})
        return self._loose
