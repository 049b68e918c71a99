"""Which of the machine's GPUs this process computes on: the driver's library shows them all."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# torch ships types that strict checking cannot follow.

import sys
from typing import Any


def devices_in_use() -> frozenset[str] | None:
    """UUIDs as NVML writes them; None while torch is not loaded, or computes on no GPU.

    CUDA_VISIBLE_DEVICES renumbers devices for CUDA and not for NVML, so they are told by UUID.
    """
    torch: Any = sys.modules.get("torch")
    cuda: Any = getattr(torch, "cuda", None)
    if cuda is None or not cuda.is_initialized():
        return None
    return frozenset(
        f"GPU-{cuda.get_device_properties(index).uuid}" for index in range(cuda.device_count())
    )
