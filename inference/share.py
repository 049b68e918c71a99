"""The memory that `gpuMemoryUtilization` is a share of, as the loading of models asks it.

torch is imported when something is asked, not before: importing it takes seconds.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from inference.integrity import prove

if TYPE_CHECKING:
    from inference.plan import Plan


class Shared(Protocol):
    """Memory of which a model may have a share."""

    def holds(self, device: str) -> bool:
        """Does what is on this device lie in it?"""
        ...

    def fits_beside(self, folder: Path) -> bool:
        """Is there room for that model beside all that is there now? Slow."""
        ...

    def room(self, share: float) -> Mapping[int | str, int]:
        """Bytes that each device has for weights at that share, the fastest first. Slow."""
        ...


class Gpus:
    """Those of this machine; without any, no share bounds anything."""

    def holds(self, device: str) -> bool:
        """Is it a GPU?"""
        return device.startswith("cuda")

    def fits_beside(self, folder: Path) -> bool:
        """By what the first GPU has free."""
        from inference.plan import fits_beside

        return fits_beside(folder)

    def room(self, share: float) -> Mapping[int | str, int]:
        """The share of each GPU, less what others use of it; then memory."""
        from inference.plan import room_here

        return room_here(share)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What can be said of loading a model before anything is given up for it."""

    beside: bool = False
    """Is there room for it beside all that is there?"""
    refusal: str = ""
    """Why it would fail; '' where nothing speaks against it."""


def placed(folder: Path, memory: Shared, share: float, *, offload: Path | None) -> "Plan":
    """Where its weights go. What is left to keys and values bounds them only where a share does."""
    from inference.plan import plan

    found = plan(folder, memory.room(share), offload=offload)
    return found if memory.holds(found.device) else replace(found, rest=None)


def foresee(folder: Path, memory: Shared, share: float, *, offload: Path | None) -> Prospect:
    """Look at every byte of the files and at the room at that share. For a thread: it is slow."""
    try:
        prove(folder)
        placed(folder, memory, share, offload=offload)
        return Prospect(beside=memory.fits_beside(folder))
    except Exception as error:  # noqa: BLE001 - whatever it is, what serves must not be given up for it
        return Prospect(refusal=str(error) or type(error).__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How much of the memory a model may have, and how room is made for another much."""

    now: Callable[[], float]
    """What is in force; it may change at any time."""
    hold: Callable[[], AbstractAsyncContextManager[None]]
    """Nothing runs within; TimeoutError where what has begun takes too long."""
    memory: Shared
