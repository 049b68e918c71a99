"""How a reading of the GPUs is judged."""

import pytest

from inference.component import Status
from inference.gpu.health import judge
from inference.gpu.reading import Device


def device(**values: object) -> Device:
    return Device(index=1, uuid="GPU-1", name="x", **values)  # type: ignore[arg-type] # a table


@pytest.mark.parametrize(
    ("found", "xid", "status", "words"),
    [
        (device(), 0, Status.HEALTHY, ""),
        (device(used=95, free=5), 0, Status.HEALTHY, ""),
        (device(used=0, free=0), 0, Status.HEALTHY, ""),
        (device(used=96, free=4), 0, Status.DEGRADED, "GPU 1 has 96.0% of its memory in use"),
        (device(), 31, Status.DEGRADED, "GPU 1 reported XID 31, which a program can cause"),
        (device(used=96, free=4), 79, Status.CRITICAL, "GPU 1 reported XID 79"),
        (device(ecc_uncorrected=2), 0, Status.DEGRADED, "GPU 1 had 2 memory errors"),
        (device(ecc_uncorrected=2, remap_pending=True), 0, Status.UNHEALTHY, "must be reset"),
        (device(remap_pending=True, remap_failed=True), 0, Status.CRITICAL, "cannot be replaced"),
        (device(fault="GPU is lost"), 31, Status.CRITICAL, "GPU 1: GPU is lost"),
    ],
)
def test_the_worst_that_is_true_decides(
    found: Device, xid: int, status: Status, words: str
) -> None:
    judged, said = judge(found, xid=xid)
    assert judged is status
    assert words in said
    assert bool(said) == (status is not Status.HEALTHY)
