"""The model that the lab's servers serve: tiny, made once by the inference package itself."""

import asyncio
import os
import shutil
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Callable
from pathlib import Path

from healer.lab.monitoring.child import StartError

ENTRYPOINT = (sys.executable, "-m", "inference")
"""What the image `inference` runs."""


async def make_model(folder: Path, *, say: Callable[[str], None]) -> None:
    """Make it unless it is there. Two labs may do so at once: the whole folder appears at once."""
    if (folder / "config.json").exists():
        return
    say("Making the tiny model (once).")
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = folder.with_name(f"{folder.name}.{os.getpid()}")
    maker = await asyncio.create_subprocess_exec(
        *ENTRYPOINT, "make-model", str(fresh), stdout=PIPE, stderr=STDOUT
    )
    said, _ = await maker.communicate()
    if maker.returncode != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        message = f"the tiny model could not be made:\n{said.decode(errors='replace')[-2000:]}"
        raise StartError(message)
    try:
        fresh.rename(folder)
    except OSError:  # somebody else was first
        shutil.rmtree(fresh, ignore_errors=True)
