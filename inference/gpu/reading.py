"""What was read of the GPUs, as frozen values. It judges nothing and asks nobody."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process that computes on the device; the driver may know its memory (bytes) or not."""

    pid: int
    bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One GPU. None is what the device or its driver does not tell."""

    index: int
    uuid: str
    name: str
    used: int | None = None
    """Bytes in use, without what the driver keeps for itself where it tells that apart."""
    free: int | None = None
    utilisation: float | None = None
    """Share of the last moment in which anything ran: 0 to 1. Not how full the device was."""
    ecc_uncorrected: int | None = None
    """Memory errors since the driver was loaded that could not be corrected."""
    remap_pending: bool | None = None
    """Rows of memory wait for a reset to be replaced."""
    remap_failed: bool | None = None
    processes: tuple[Process, ...] = ()
    fault: str = ""
    """Why the device could not be asked at all."""

    @property
    def share(self) -> float | None:
        """Memory in use, of what can be used: as the alert reckons it."""
        if self.used is None or self.free is None or self.used + self.free == 0:
            return None
        return self.used / (self.used + self.free)


@dataclass(frozen=True, slots=True, kw_only=True)
class Xid:
    """An error that the driver reported; NVIDIA's documentation lists the numbers."""

    gpu: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """All devices at one moment; without any, `reason` says why."""

    provider: str
    reason: str = ""
    devices: tuple[Device, ...] = ()


NOTHING = "none"
"""The provider where there is no GPU."""

NOT_YET = Reading(provider=NOTHING, reason="not read yet")
