"""How long a container waits before its next life. Pure."""

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class Backoff:
    """The first restart is at once, later ones after a delay that doubles up to a limit."""

    delay: float
    limit: float
    forgotten: float
    _next: float = 0.0

    def after(self, lived: float) -> float:
        """The delay after a life of that length."""
        if lived >= self.forgotten:
            self._next = 0.0
        found = self._next
        self._next = min(max(found * 2, self.delay), self.limit)
        return found
