"""The bound that a GPU's memory sets: every decode step reads every weight once.

`python -m bench.inference.floor` measures how fast the memory moves bytes, in a process of its own.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from bench.target import process

_BYTES = 4 * 10**9
_COPIES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """`bandwidth` in bytes a second, read and written together; `weights` in bytes."""

    device: str
    bandwidth: float
    weights: int

    def rate(self, clients: int) -> float:
        """Tokens a second if steps took only the reading: no sums, keys, prompts or HTTP."""
        return clients * self.bandwidth / self.weights


def has_gpu() -> bool:
    """Is there one that torch can use?"""
    import torch

    return bool(torch.cuda.is_available())


async def floor_of(model: Path) -> Floor:
    """Measured now, for the weights of this folder."""
    async with process("-m", "bench.inference.floor") as measuring:
        said, _ = await measuring.communicate()
    if measuring.returncode:
        message = f"the memory's bandwidth could not be measured: {measuring.returncode}"
        raise RuntimeError(message)
    found = cast("dict[str, Any]", json.loads(said))
    return Floor(device=found["device"], bandwidth=found["bandwidth"], weights=_weights(model))


def _weights(model: Path) -> int:
    return sum(each.stat().st_size for each in model.glob("*.safetensors"))


def measure() -> dict[str, object]:
    """Copies on the device, timed by its own events: the best of them is what it can do."""
    import torch

    cuda: Any = torch.cuda
    source: Any = torch.randint(256, (_BYTES,), dtype=torch.uint8, device="cuda")
    target: Any = torch.empty_like(source)
    times: list[float] = []
    for _ in range(_COPIES):
        begin, end = cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)
        begin.record()
        target.copy_(source)
        end.record()
        end.synchronize()
        times.append(float(begin.elapsed_time(end)) / 1e3)
    return {"device": str(cuda.get_device_name()), "bandwidth": 2 * _BYTES / min(times)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure()))
