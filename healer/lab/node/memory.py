"""Memory limits of containers, by cgroups where this user may make them, else not at all.

Volumes of the lab live in memory and are charged to whoever fills them, so a container's limit is
raised by the size of what it mounts: a leak is killed later than on a real node, never sooner.
"""

import contextlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """The memory cgroup of one life of a container; without a folder there is no limit."""

    folder: Path | None
    limit: int

    def make(self) -> list[str]:
        """Create it, and return the files a process writes its number to in order to join."""
        if self.folder is None:
            return []
        self.folder.mkdir(parents=True, exist_ok=True)
        new = self.folder / "memory.max"
        limit = new if new.exists() else self.folder / "memory.limit_in_bytes"
        limit.write_text(str(self.limit))
        return [str(self.folder / "cgroup.procs")]

    def kills(self) -> int:
        """How many of its processes the kernel killed for want of memory."""
        if self.folder is None:
            return 0
        for name in ("memory.events", "memory.oom_control"):
            with contextlib.suppress(OSError):
                lines = (self.folder / name).read_text().splitlines()
                return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
        return 0

    def remove(self) -> None:
        """Forget it; its processes must have ended."""
        if self.folder is not None:
            with contextlib.suppress(OSError):
                self.folder.rmdir()


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryTree:
    """Where the lab may make memory cgroups, if anywhere."""

    folder: Path | None

    def limited(self, name: str, *, limit: int, volumes: Sequence[int]) -> Memory:
        """A cgroup for one life of a container; a limit of 0 is none."""
        folder = self.folder / name if self.folder is not None and limit else None
        return Memory(folder=folder, limit=limit + sum(volumes))

    def remove(self) -> None:
        """Take it away if it is empty; the holder does so when the lab ends hard."""
        if self.folder is not None:
            with contextlib.suppress(OSError):
                self.folder.rmdir()


def find(root: Path = ROOT) -> MemoryTree:
    """A tree of this lab's own, where cgroups (of either version) let this user make one."""
    name = f"healer-lab-{secrets.token_hex(4)}"
    for parent in (root, root / "memory"):
        if not any((parent / f"memory.{file}").exists() for file in ("stat", "limit_in_bytes")):
            continue
        folder = parent / name
        with contextlib.suppress(OSError):
            folder.mkdir(exist_ok=True)
            control = parent / "cgroup.subtree_control"
            if control.exists():
                control.write_text("+memory")
                (folder / "cgroup.subtree_control").write_text("+memory")
            return MemoryTree(folder=folder)
    return MemoryTree(folder=None)
