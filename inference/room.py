"""Room for the keys and values of all that runs, in places: what one token takes in every layer.

Rows that run together are padded to the longest of them, so one long request makes all dear. Who
would not fit any more waits in the queue, where a batch without a bound would fail all that run.
"""

from dataclasses import dataclass

AHEAD = 64
AHEAD_STEADY = 256
"""Columns kept ready at least: more where a recording is made anew each time that buffers move."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What a batch may take, and how its buffers grow. Without `places` nothing bounds it."""

    places: int | None = None
    ahead: int = AHEAD

    def columns(self, held: int) -> int:
        """Columns of a buffer in which so many are in use."""
        return held + max(self.ahead, held // 4)

    def rows(self, wanted: int, columns: int, *, beside: int = 0) -> int:
        """Rows of so many columns, as many as are wanted or as there is room for beside others."""
        return wanted if self.places is None else min(wanted, (self.places - beside) // columns)

    def takes(self, requests: int, tokens: int) -> bool:
        """Do so many requests fit, when the longest of them comes to so many tokens?

        One row more than there are requests, for a prompt that joins is there twice meanwhile.
        """
        return self.places is None or (requests + 1) * self.columns(tokens) <= self.places

    def longest(self, most: int) -> int:
        """Tokens that a request may come to when it runs alone; `most` where there is room."""
        if self.places is None or self.takes(1, most):
            return most
        columns = self.places // 2
        return max(0, min(columns - self.ahead, columns * 4 // 5))
