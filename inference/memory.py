"""Memory of this process against its limit, as the kernel tells both."""

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def used_bytes() -> int:
    """Resident memory of this process."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def free_bytes() -> int:
    """What this process may still take: of the machine's memory, and of its cgroup's limit."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    told = dict(line.split(":", 1) for line in lines)
    free = int(told["MemAvailable"].split()[0]) * 1024
    limit = limit_bytes(0.0)
    return free if limit is None else max(0, min(free, limit - used_bytes()))


def limit_bytes(configured_gb: float) -> int | None:
    """The configured limit, else the tightest of the cgroups this process is in, else none."""
    if configured_gb > 0:
        return int(configured_gb * 1e9)
    try:
        groups = Path("/proc/self/cgroup").read_text(encoding="ascii")
    except OSError:
        return None
    limits = [limit for path in cgroup_files(groups) if (limit := _read(_CGROUP / path))]
    return min(limits, default=None)


def cgroup_files(groups: str) -> list[str]:
    """Files, below the cgroup mount, that may hold the limit: of the group and of its parents."""
    files: list[str] = []
    for line in groups.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root, name = "", "memory.max"
        elif "memory" in controllers.split(","):
            root, name = "memory/", "memory.limit_in_bytes"
        else:
            continue
        parts = [part for part in path.split("/") if part and part != ".."]
        files += [root + "/".join([*parts[:n], name]) for n in range(len(parts), -1, -1)]
    return files


def _read(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="ascii").strip()
    except OSError:
        return None
    # The first version of cgroups writes "no limit" as a number near 2^63.
    return int(text) if text.isdigit() and int(text) < 2**60 else None
