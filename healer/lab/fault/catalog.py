"""Every fault by its name."""

from collections.abc import Mapping

from healer.lab.fault.contract import Fault
from healer.lab.fault.flood import Flood
from healer.lab.fault.volume import FullVolume

_ALL: tuple[Fault, ...] = (
    Flood(),
    FullVolume(),
    FullVolume(name="full-volume-young", age="1 hour", lasts=True),
    FullVolume(name="full-volume-young-fixed", age="1 hour", lasts=True, expandable=False),
)

FAULTS: Mapping[str, Fault] = {fault.name: fault for fault in _ALL}
