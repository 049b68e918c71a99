"""The arithmetic of an autoscaler: from metrics to replicas. Pure but for the clock it is told."""

import math
from collections import deque
from dataclasses import dataclass, field

_TOLERANCE = 0.1
"""A metric this near to its target changes nothing."""


def by_average(current: int, pods: int, average: float, target: float) -> int:
    """For a value that falls as pods are added: per pod, a share of requests, or of the whole."""
    ratio = average / target
    if abs(ratio - 1.0) <= _TOLERANCE:
        return current
    return math.ceil(ratio * pods)


def by_total(current: int, total: float, target: float) -> int:
    """For a total that is to be shared: External metrics with an AverageValue."""
    if current > 0 and abs(total / (target * current) - 1.0) <= _TOLERANCE:
        return current
    return math.ceil(total / target)


@dataclass(slots=True)
class Stabilizer:
    """Remembers recommendations; a scale-down follows the highest of its window."""

    past: deque[tuple[float, int]] = field(default_factory=deque[tuple[float, int]])

    def settle(self, wanted: int, *, current: int, window: float, now: float) -> int:
        """What to do with a recommendation: up at once, down only when the window agrees."""
        if not self.past:
            self.past.append((now, current))
        self.past.append((now, wanted))
        while self.past and self.past[0][0] < now - window:
            self.past.popleft()
        return max((replicas for _, replicas in self.past), default=wanted)
