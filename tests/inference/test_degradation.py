"""The mode follows the evidence, the strictest wins, and it is left when the evidence goes."""

from typing import Any

import pytest

from inference.breaker import Circuit
from inference.degradation import Evidence, Mode, judge

_FINE: dict[str, Any] = {
    "circuit": Circuit.CLOSED,
    "ssd_error": "",
    "ssd_free_gb": 50.0,
    "ssd_critical_gb": 10.0,
    "memory_share": 0.5,
    "engine_failed": False,
}


@pytest.mark.parametrize(
    ("change", "mode"),
    [
        ({}, Mode.NORMAL),
        ({"ssd_free_gb": None, "memory_share": None}, Mode.NORMAL),
        ({"circuit": Circuit.OPEN}, Mode.DEGRADED),
        ({"circuit": Circuit.HALF_OPEN}, Mode.DEGRADED),
        ({"ssd_error": "No space left on device"}, Mode.DEGRADED),
        ({"ssd_free_gb": 9.9}, Mode.DEGRADED),
        ({"memory_share": 0.9}, Mode.AGGRESSIVE_EVICTION),
        ({"memory_share": 0.96}, Mode.EMERGENCY),
        ({"engine_failed": True, "circuit": Circuit.OPEN}, Mode.EMERGENCY),
    ],
)
def test_evidence_decides_the_mode(change: dict[str, Any], mode: Mode) -> None:
    found = judge(Evidence(**{**_FINE, **change}))
    assert found.mode is mode
    assert bool(found.reasons) == (mode is not Mode.NORMAL)
