"""Memory of this process against its limit, as the kernel tells both."""

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def used_bytes() -> int:
    """Resident memory of this process."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def limit_bytes(configured_gb: float) -> int | None:
    """The configured limit, else that of the cgroup, else none."""
    if configured_gb > 0:
        return int(configured_gb * 1e9)
    try:
        text = (_CGROUP / "memory.max").read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
