"""One delivery as it came: recorded before it is answered, sorted into incidents afterwards."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delivery:
    """`number` grows with every delivery and is never used twice; `body` is what was sent."""

    number: int
    body: bytes
