"""Keeps the latest reading of the GPUs, from a thread of its own: a driver in trouble may hang."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from inference.gpu.reading import NOT_YET, Device, Reading, Xid

log = logging.getLogger("inference.gpu")

Used = Callable[[], frozenset[str] | None]
"""UUIDs of the devices that this process computes on; None while it is not known."""

_PATIENCE = 10.0


class Source(Protocol):
    """Where readings come from; called from one thread only."""

    def read(self) -> Reading:
        """All devices now."""
        ...

    def wait(self, seconds: float, *, pause: Callable[[float], object]) -> Xid | None:
        """Let that time pass; an error that is reported meanwhile ends it."""
        ...

    def close(self) -> None:
        """No more readings."""
        ...


class Monitor:
    """Reads every few seconds; what it tells is never waited for."""

    def __init__(
        self,
        source: Source,
        *,
        seconds: float,
        used: Used = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._seconds = seconds
        self._used = used
        self._clock = clock
        self._reading = NOT_YET
        self._read_at = clock()
        self._xids: Counter[Xid] = Counter()
        self._last: dict[int, int] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gpu", daemon=True)

    @property
    def reading(self) -> Reading:
        """The latest, unless it is too old to be true."""
        silent = self._clock() - self._read_at - self._seconds
        if silent <= _PATIENCE or self._reading is NOT_YET:
            return self._reading
        reason = f"the driver has not answered for {silent:.0f} s"
        return Reading(provider=self._reading.provider, reason=reason)

    @property
    def xids(self) -> dict[Xid, int]:
        """How often each error was reported since the start."""
        return dict(self._xids)

    def last_xid(self, gpu: int) -> int:
        """The number of the latest error of a device; 0: none was reported."""
        return self._last.get(gpu, 0)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """End the thread; one that hangs in the driver is left behind."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._take(self._source.read())
                xid = self._source.wait(self._seconds, pause=self._stopping.wait)
            except Exception:
                log.exception("GPUs cannot be read", extra={"event": "gpu_unreadable"})
                self._stopping.wait(self._seconds)
                continue
            if xid is not None:
                self._count(xid)
        self._source.close()

    def _take(self, reading: Reading) -> None:
        used = self._used()
        if used is not None:
            devices = tuple(each for each in reading.devices if each.uuid in used)
            reading = Reading(provider=reading.provider, reason=reading.reason, devices=devices)
        if _state(reading) != _state(self._reading):
            level = logging.ERROR if any(each.fault for each in reading.devices) else logging.INFO
            log.log(level, "GPUs: %s", told(reading), extra={"event": "gpu"})
        self._reading, self._read_at = reading, self._clock()

    def _count(self, xid: Xid) -> None:
        self._xids[xid] += 1
        self._last[xid.gpu] = xid.number
        extra = {"event": "gpu_xid", "gpu": xid.gpu, "xid": xid.number}
        log.error("GPU %d reports XID %d", xid.gpu, xid.number, extra=extra)


def told(reading: Reading) -> str:
    """In words: what is there, or why nothing is."""
    if not reading.devices:
        return f"none ({reading.reason})" if reading.reason else "none"
    return "; ".join(_words(device) for device in reading.devices)


def _words(device: Device) -> str:
    return f"{device.index} {device.name}" + (f": {device.fault}" if device.fault else "")


def _state(reading: Reading) -> tuple[object, ...]:
    """What is worth a line in the log when it changes."""
    return reading.provider, reading.reason, *((each.uuid, each.fault) for each in reading.devices)
