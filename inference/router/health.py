"""What a router says of its health. It serves for as long as one expert can be reached.

A classifier that cannot be used makes it no less alive: everything goes to the fallback, and it
says so. A restart cures neither a sick expert nor a bad file, so liveness never fails for them.
"""

from collections.abc import Mapping

from inference.component import Component, Status
from inference.router.classifier import Classifier, State
from inference.router.probe import Standing, Watched

_STANDINGS = {
    Standing.UNKNOWN: Status.DEGRADED,
    Standing.HEALTHY: Status.HEALTHY,
    Standing.UNHEALTHY: Status.UNHEALTHY,
}


class Health:
    """Asks the classifier and the prober; keeps nothing."""

    def __init__(
        self, *, classifier: Classifier, watched: Mapping[str, Watched], fallback: str
    ) -> None:
        self._classifier = classifier
        self._watched = watched
        self._fallback = fallback

    def ready(self) -> bool:
        """May traffic come? The classifier has had its first try, and somebody can answer."""
        return self._classifier.decided.is_set() and self.reachable()

    def reachable(self) -> bool:
        """Is there an expert that answers?"""
        return any(each.standing is Standing.HEALTHY for each in self._watched.values())

    def components(self) -> dict[str, Component]:
        """The classifier, the experts together, and each of them."""
        found = {"classifier": self.classifier(), "experts": self.experts()}
        for name in self._watched:
            found[f"expert-{name}"] = self.expert(name)
        return found

    def classifier(self) -> Component:
        """Without it everything goes to the fallback."""
        state = self._classifier.state
        numbers: dict[str, float | int | str] = {"state": state}
        if state is State.READY:
            return Component(status=Status.HEALTHY, numbers=numbers)
        text = f"everything goes to {self._fallback}: {self._classifier.failure or state.value}"
        failed = state is State.FAILED
        status = Status.CRITICAL if failed else Status.DEGRADED
        return Component(status=status, message=text, numbers=numbers)

    def experts(self) -> Component:
        """Critical when nobody answers."""
        count = len(self._watched)
        well = sum(each.standing is Standing.HEALTHY for each in self._watched.values())
        numbers: dict[str, float | int | str] = {"experts": count, "healthy": well}
        if well == count:
            return Component(status=Status.HEALTHY, numbers=numbers)
        status = Status.DEGRADED if well else Status.CRITICAL
        return Component(status=status, message=f"{well} of {count} answer", numbers=numbers)

    def expert(self, name: str) -> Component:
        """One of them."""
        watched = self._watched[name]
        numbers: dict[str, float | int | str] = {"url": watched.expert.url}
        numbers["probe_seconds"] = round(watched.seconds, 4)
        status = _STANDINGS[watched.standing]
        return Component(status=status, message=watched.message, numbers=numbers)
