"""The GPUs as Prometheus reads them, under the names of NVIDIA's DCGM exporter.

Rules and dashboards are written for those names; where that exporter runs as well, its series have
other labels, and the two never mix.
"""

from collections.abc import Callable, Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from inference.gpu.monitor import Monitor
from inference.gpu.reading import Device

_MIB = 1024 * 1024
_LABELS = ["gpu", "UUID"]


class GpuCollector(Collector):
    """A device that does not tell a figure has no series of it."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def collect(self) -> Iterable[Metric]:
        """Everything as of the latest reading."""
        devices = self._monitor.reading.devices
        yield GaugeMetricFamily("gpu_devices", "GPUs that can be read", value=len(devices))
        for name, text, read in _GAUGES:
            family = GaugeMetricFamily(name, text, labels=_LABELS)
            for device in devices:
                if (value := read(device)) is not None:
                    family.add_metric(_labels(device), value)
            yield family
        yield self._last_xid(devices)
        yield self._xids()
        yield _processes(devices)

    def _last_xid(self, devices: Iterable[Device]) -> Metric:
        text = "Number of the latest XID error; 0: none"
        family = GaugeMetricFamily("DCGM_FI_DEV_XID_ERRORS", text, labels=_LABELS)
        for device in devices:
            family.add_metric(_labels(device), self._monitor.last_xid(device.index))
        return family

    def _xids(self) -> Metric:
        family = CounterMetricFamily("gpu_xid_errors", "XID errors", labels=["gpu", "xid"])
        for xid, count in self._monitor.xids.items():
            family.add_metric([str(xid.gpu), str(xid.number)], count)
        return family


def _labels(device: Device) -> list[str]:
    return [str(device.index), device.uuid]


def _mib(value: int | None) -> float | None:
    return None if value is None else value / _MIB


def _percent(device: Device) -> float | None:
    return None if device.utilisation is None else device.utilisation * 100


_GAUGES: tuple[tuple[str, str, Callable[[Device], float | None]], ...] = (
    ("DCGM_FI_DEV_FB_USED", "Memory in use, MiB", lambda device: _mib(device.used)),
    ("DCGM_FI_DEV_FB_FREE", "Memory free, MiB", lambda device: _mib(device.free)),
    ("DCGM_FI_DEV_GPU_UTIL", "Time in which anything ran, percent", _percent),
    (
        "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL",
        "Memory errors that could not be corrected, since the driver was loaded",
        lambda device: device.ecc_uncorrected,
    ),
    (
        "DCGM_FI_DEV_ROW_REMAP_PENDING",
        "1: rows of memory wait for a reset to be replaced",
        lambda device: device.remap_pending,
    ),
)


def _processes(devices: Iterable[Device]) -> Metric:
    text = "Memory of each process on the device, by the host's process id"
    family = GaugeMetricFamily("gpu_process_memory_bytes", text, labels=["gpu", "pid"])
    for device in devices:
        for process in device.processes:
            if process.bytes is not None:
                family.add_metric([str(device.index), str(process.pid)], process.bytes)
    return family
