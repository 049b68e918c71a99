"""Asks NVIDIA's management library. Not thread-safe, and slow where a driver is in trouble.

Whatever it lacks, the answer says so: no package, no library, no driver, no such figure.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# nvidia-ml-py has no types; it is met here only.

import importlib
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from inference.gpu.reading import NOTHING, Device, Process, Reading, Xid

T = TypeVar("T")

_CRITICAL_XID = 8


class Nvml:
    """The library, opened when it is first there."""

    def __init__(self) -> None:
        self._library: Any = None
        self._listener: Any = None
        self._handles: list[Any] = []

    def read(self) -> Reading:
        """Every device now; opens the library if it is not open."""
        if self._library is None and (reason := self._open()):
            return Reading(provider=NOTHING, reason=reason)
        found = tuple(self._device(index, each) for index, each in enumerate(self._handles))
        return Reading(provider="nvml", devices=found)

    def wait(self, seconds: float, *, pause: Callable[[float], object]) -> Xid | None:
        """An error that the driver reports within this time; without such reports, a pause."""
        if self._listener is None:
            pause(seconds)
            return None
        nvml = self._library
        started = time.monotonic()
        try:
            event = nvml.nvmlEventSetWait_v2(self._listener, int(seconds * 1000))
        except nvml.NVMLError_Timeout:
            return None
        except nvml.NVMLError:
            pause(max(0.0, seconds - (time.monotonic() - started)))
            return None
        return Xid(gpu=self._index(event.device), number=int(event.eventData))

    def close(self) -> None:
        """Let go of the library."""
        nvml, self._library = self._library, None
        if nvml is not None:
            with suppress(nvml.NVMLError):
                if self._listener is not None:
                    nvml.nvmlEventSetFree(self._listener)
                nvml.nvmlShutdown()
        self._listener, self._handles = None, []

    def _open(self) -> str:
        """Empty, or why there is nothing to read."""
        try:
            nvml = importlib.import_module("pynvml")
        except ImportError:
            return "nvidia-ml-py is not installed: pip install 'healer[gpu]'"
        try:
            nvml.nvmlInit()
            count = nvml.nvmlDeviceGetCount()
            self._handles = [nvml.nvmlDeviceGetHandleByIndex(each) for each in range(count)]
        except nvml.NVMLError as error:
            return str(error)
        if not self._handles:
            nvml.nvmlShutdown()
            return "the driver knows no GPU"
        self._library = nvml
        self._listen()
        return ""

    def _listen(self) -> None:
        """XIDs come as events only; some drivers have none."""
        nvml = self._library
        with suppress(nvml.NVMLError):
            listener = nvml.nvmlEventSetCreate()
            for handle in self._handles:
                nvml.nvmlDeviceRegisterEvents(handle, _CRITICAL_XID, listener)
            self._listener = listener

    def _index(self, handle: Any) -> int:
        """Which of the devices; -1 for one that is not among them."""
        with suppress(self._library.NVMLError):
            uuid = self._library.nvmlDeviceGetUUID(handle)
            for index, each in enumerate(self._handles):
                if self._library.nvmlDeviceGetUUID(each) == uuid:
                    return index
        return -1

    def _device(self, index: int, handle: Any) -> Device:
        nvml = self._library
        ask = self._ask
        uuid = str(ask(nvml.nvmlDeviceGetUUID, handle) or "")
        name = str(ask(nvml.nvmlDeviceGetName, handle) or "")
        try:
            memory = self._memory(handle)
        except nvml.NVMLError as error:
            return Device(index=index, uuid=uuid, name=name, fault=str(error))
        rates = ask(nvml.nvmlDeviceGetUtilizationRates, handle)
        rows = ask(nvml.nvmlDeviceGetRemappedRows, handle)
        ecc = (nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, nvml.NVML_VOLATILE_ECC)
        return Device(
            index=index,
            uuid=uuid,
            name=name,
            used=None if memory is None else int(memory.used),
            free=None if memory is None else int(memory.free),
            utilisation=None if rates is None else rates.gpu / 100,
            ecc_uncorrected=ask(nvml.nvmlDeviceGetTotalEccErrors, handle, *ecc),
            remap_pending=None if rows is None else bool(rows[2]),
            remap_failed=None if rows is None else bool(rows[3]),
            processes=tuple(
                Process(pid=int(each.pid), bytes=each.usedGpuMemory)
                for each in ask(nvml.nvmlDeviceGetComputeRunningProcesses, handle) or ()
            ),
        )

    def _memory(self, handle: Any) -> Any:
        """The newer call tells the driver's own share apart; older drivers lack it."""
        nvml = self._library
        try:
            return nvml.nvmlDeviceGetMemoryInfo(handle, nvml.nvmlMemory_v2)
        except (nvml.NVMLError_FunctionNotFound, nvml.NVMLError_NotSupported):
            pass
        try:
            return nvml.nvmlDeviceGetMemoryInfo(handle)
        except nvml.NVMLError_NotSupported:
            return None

    def _ask(self, function: Callable[..., T], *arguments: object) -> T | None:
        """None for what this device or this driver does not tell."""
        try:
            return function(*arguments)
        except self._library.NVMLError:
            return None
