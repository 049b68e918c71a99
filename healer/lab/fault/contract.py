"""What a drill asks of a fault. To add one: copy a neighbour, and a line in `catalog`."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from healer.lab.remote import Remote

Say = Callable[[str], None]


class Fault(Protocol):
    """Something that breaks a service for real."""

    @property
    def name(self) -> str:
        """As operators type it: `healer lab inject NAME`."""
        ...

    @property
    def service(self) -> str:
        """The service that it breaks."""
        ...

    @property
    def lasts(self) -> bool:
        """Does it go on only while somebody makes it? Otherwise it stays when it was made."""
        ...

    def strike(self, remote: Remote, *, say: Say) -> AbstractAsyncContextManager[datetime | None]:
        """Break it. The end of the block mends what is left, as the people called would.

        What needs a preparation gives the moment from which on it was broken.
        """
        ...
