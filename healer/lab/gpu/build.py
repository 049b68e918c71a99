"""Builds the stand-in library of a GPU; any C compiler will do, and without one there is no GPU."""

import asyncio
import shutil
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

COMPILERS = ("cc", "gcc", "clang", "tcc")
SOURCE = Path(__file__).with_name("nvml.c")
LIBRARY = "libnvidia-ml.so.1"
RESOURCE = "nvidia.com/gpu"
"""As pods ask for it, and as a node tells of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpus:
    """The GPUs of a node, one for each pod that asks for one."""

    folder: Path
    """Where the library lies. A node whose library is gone has no GPU any more."""
    count: int
    memory: int
    """Bytes of each."""

    @property
    def present(self) -> int:
        """How many there are now."""
        return self.count if (self.folder / LIBRARY).exists() else 0

    def environment(self) -> dict[str, str]:
        """What a container is given that has one, as NVIDIA's container runtime gives it."""
        return {
            "LD_LIBRARY_PATH": str(self.folder),
            "LAB_GPU_MEMORY": str(self.memory),
            "NVIDIA_VISIBLE_DEVICES": "0",
        }


async def build(
    folder: Path, *, say: Callable[[str], None], flags: Sequence[str] = ()
) -> Path | None:
    """The folder with the library in it; None, and why, where it cannot be built."""
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        say(f"No C compiler ({', '.join(COMPILERS)}): the lab's node has no GPU.")
        return None
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 a local folder, made once
    maker = await asyncio.create_subprocess_exec(
        *(compiler, "-shared", "-fPIC", f"-Wl,-soname,{LIBRARY}", *flags),
        *("-o", str(folder / LIBRARY), str(SOURCE)),
        stdout=PIPE,
        stderr=STDOUT,
    )
    said, _ = await maker.communicate()
    if maker.returncode == 0:
        return folder
    words = said.decode(errors="replace").strip()
    say(f"The library of the lab's GPU could not be built, so its node has none: {words[-500:]}")
    return None
