"""Addresses for pods and services: loopback numbers that nobody else on the machine uses."""

import random
from dataclasses import dataclass, field


@dataclass(slots=True)
class AddressPool:
    """Hands out 127.x.y.z, each once, from a part of 127/8 that is random unless configured."""

    prefix: str = ""
    """The first two or three numbers, such as 127.31 or 127.31.7; never 127.0.0."""
    _given: set[str] = field(default_factory=set[str])
    _next: int = 1

    def __post_init__(self) -> None:
        chance = random.SystemRandom()
        self.prefix = self.prefix or f"127.{chance.randint(1, 254)}.{chance.randint(0, 254)}"
        parts = self.prefix.split(".")
        if parts[0] != "127" or len(parts) not in {2, 3} or self.prefix == "127.0.0":
            raise ValueError(f"{self.prefix!r} is no part of 127/8 such as 127.31 or 127.31.7")

    def take(self) -> str:
        """An address that is not in use; recently returned ones come last."""
        room = 254 if self.prefix.count(".") == 2 else 254 * 256
        for _ in range(room):
            number, self._next = self._next, self._next % room + 1
            address = self._written(number)
            if address not in self._given:
                self._given.add(address)
                return address
        raise RuntimeError(f"all {room} addresses of {self.prefix} are in use")

    def give_back(self, address: str) -> None:
        """The address is free again."""
        self._given.discard(address)

    def _written(self, number: int) -> str:
        high, low = divmod(number - 1, 254)
        middle = "" if self.prefix.count(".") == 2 else f".{high}"
        return f"{self.prefix}{middle}.{low + 1}"
