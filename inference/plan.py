"""Where the weights of a model go, decided before any of them is read.

What fits goes whole to one device. What does not is refused, or, where a folder for it was given,
spread over devices, memory and disk: slow, but it survives.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportPrivateUsage=false
# torch, transformers and accelerate ship types that strict checking cannot follow.

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import infer_auto_device_map, init_empty_weights
from accelerate.utils import compute_module_sizes
from transformers import AutoConfig, AutoModelForCausalLM

from inference import memory

Device = int | str
"""As accelerate names them: the number of a GPU, cpu, disk."""
Free = Mapping[Device, int]
"""Bytes that each device has for weights, the fastest first."""

_KEPT = 0.1
"""Share of each device that is left to keys, values and what the sums need on the way."""
_SUMS = 0.05
"""Share of each device that the sums need; what weights leave beside is for keys and values."""
_GB = 1e9


class TooLargeError(Exception):
    """The weights do not fit; nothing was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Where to load to; without a map the whole model goes to `device`."""

    folder: Path
    device: str
    map: Mapping[str, Device] | None = None
    offload: Path | None = None
    rest: int | None = None
    """Bytes for keys and values; None where they are not bounded."""


def room_here(utilisation: float) -> dict[Device, int]:
    """What this process may fill: a share of each GPU's total, as vLLM means it; then memory."""
    found: dict[Device, int] = {}
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(index)
            others = total - free - torch.cuda.memory_reserved(index)
            found[index] = max(0, int(utilisation * total) - max(0, others))
    found["cpu"] = memory.free_bytes()
    return found


def fits_beside(folder: Path) -> bool:
    """Whether the first GPU has room for the whole model while all that is on it stays there."""
    if not torch.cuda.is_available():
        return False
    free, _ = torch.cuda.mem_get_info(0)
    unused = torch.cuda.memory_reserved(0) - torch.cuda.memory_allocated(0)
    usable = int((free + unused) * (1 - _KEPT))
    return int(compute_module_sizes(_skeleton(folder))[""]) <= usable


def plan(folder: Path, room: Free, *, offload: Path | None = None) -> Plan:
    """Decide by the sizes in the configuration; TooLargeError says what is needed and is there."""
    skeleton = _skeleton(folder)
    needed = int(compute_module_sizes(skeleton)[""])
    usable = {device: int(bytes_ * (1 - _KEPT)) for device, bytes_ in room.items()}
    fastest = next(iter(usable))
    if needed <= usable[fastest]:
        rest = int(room[fastest] * (1 - _SUMS)) - needed
        return Plan(folder=folder, device=_named(fastest), rest=rest)
    gpus = sum(size for device, size in usable.items() if device != "cpu")
    if needed > gpus and offload is None:
        there = ", ".join(f"{size / _GB:.3f} GB on {_named(at)}" for at, size in usable.items())
        msg = (
            f"{folder}: the weights need {needed / _GB:.3f} GB and there is room for {there}: give "
            "more memory, raise gpuMemoryUtilization, or name an --offload-dir to be slow instead"
        )
        raise TooLargeError(msg)
    found: Any = infer_auto_device_map(
        skeleton,
        max_memory=dict(usable),
        no_split_module_classes=list(skeleton._no_split_modules or ()),  # noqa: SLF001 - the name that accelerate documents
    )
    begun = _begun_in_memory(folder, found)
    return Plan(folder=folder, device=_named(fastest), map=begun, offload=offload)


def _begun_in_memory(folder: Path, found: Mapping[str, Device]) -> Mapping[str, Device]:
    """The first module takes the tokens: on disk it would be nowhere to send them to."""
    if next(iter(found.values())) == "disk":
        msg = f"{folder}: there is not even room for the first layer"
        raise TooLargeError(msg)
    return found


def _skeleton(folder: Path) -> Any:
    """The model without its weights: modules, shapes and types."""
    config: Any = AutoConfig.from_pretrained(str(folder), local_files_only=True)
    with init_empty_weights():
        model: Any = AutoModelForCausalLM.from_config(config, dtype=config.dtype)
    model.tie_weights()
    return model


def _named(device: Device) -> str:
    return f"cuda:{device}" if isinstance(device, int) else device
