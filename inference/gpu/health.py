"""How healthy the GPUs are, judged by the latest reading. No GPU is no fault."""

from inference.component import Component, Status
from inference.gpu.monitor import Monitor
from inference.gpu.reading import NOTHING, Device, Reading

FULL = 0.95
"""Share of memory above which little is left to work with; the alert's figure."""

# By NVIDIA's catalogue these can come from a program's own mistake: the device itself is well.
_FROM_PROGRAMS = frozenset({13, 31, 43, 45, 68, 69})


def component(monitor: Monitor) -> Component:
    """The worst that is true of any device."""
    reading = monitor.reading
    numbers: dict[str, float | int | str] = {"provider": reading.provider}
    if reading.provider == NOTHING:
        return Component(status=Status.HEALTHY, message=reading.reason, numbers=numbers)
    if not reading.devices:
        return Component(status=Status.UNHEALTHY, message=reading.reason, numbers=numbers)
    found = [judge(each, xid=monitor.last_xid(each.index)) for each in reading.devices]
    status, message = max(found, key=lambda each: each[0])
    devices = [_shown(each, xid=monitor.last_xid(each.index)) for each in reading.devices]
    return Component(status=status, message=message, numbers=numbers, devices=devices)


def judge(device: Device, *, xid: int = 0) -> tuple[Status, str]:
    """One device; `xid` is the latest error that it reported, 0 for none."""
    name, errors, share = f"GPU {device.index}", device.ecc_uncorrected or 0, device.share or 0.0
    hardware = xid != 0 and xid not in _FROM_PROGRAMS
    found = (
        (device.fault, Status.CRITICAL, f": {device.fault}"),
        (hardware, Status.CRITICAL, f" reported XID {xid}"),
        (device.remap_failed, Status.CRITICAL, " has bad memory that cannot be replaced"),
        (device.remap_pending, Status.UNHEALTHY, " must be reset to replace bad memory"),
        (errors, Status.DEGRADED, f" had {errors} memory errors that could not be corrected"),
        (xid, Status.DEGRADED, f" reported XID {xid}, which a program can cause"),
        (share > FULL, Status.DEGRADED, f" has {share:.1%} of its memory in use"),
    )
    worst = next(((status, text) for holds, status, text in found if holds), None)
    return (Status.HEALTHY, "") if worst is None else (worst[0], name + worst[1])


def shown(reading: Reading) -> dict[str, object]:
    """A whole reading, for the command line."""
    devices = [_shown(each, xid=0) for each in reading.devices]
    return {"provider": reading.provider, "reason": reading.reason, "devices": devices}


def _shown(device: Device, *, xid: int) -> dict[str, object]:
    """What is unknown is null."""
    return {
        "gpu": device.index,
        "uuid": device.uuid,
        "name": device.name,
        "memory_used_bytes": device.used,
        "memory_free_bytes": device.free,
        "utilisation": device.utilisation,
        "ecc_uncorrected": device.ecc_uncorrected,
        "remap_pending": device.remap_pending,
        "last_xid": xid,
        "fault": device.fault,
        "processes": [{"pid": each.pid, "bytes": each.bytes} for each in device.processes],
    }
