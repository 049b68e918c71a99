"""Cleaning the SSD cache by age, as an operator asks for it: counts first, deletes only there.

It touches regular files under the cache folder and nothing else; links are not followed.
"""

import logging
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger("inference.evict")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Files and bytes of a folder, and of those the old ones."""

    files: int = 0
    bytes: int = 0
    old_files: int = 0
    old_bytes: int = 0


def measure(folder: Path, *, older_than: float | None) -> Usage:
    """Count; `older_than` seconds by modification time says what is old (None: everything)."""
    found = list(_files(folder))
    old = [status for _, status in found if _is_old(status, older_than)]
    return Usage(
        files=len(found),
        bytes=sum(status.st_size for _, status in found),
        old_files=len(old),
        old_bytes=sum(status.st_size for status in old),
    )


def evict(folder: Path, *, older_than: float | None) -> Usage:
    """Remove old files; the answer counts what was removed (`old_*`) and what was there before."""
    removed_files = removed_bytes = files = total = 0
    for path, status in list(_files(folder)):
        files, total = files + 1, total + status.st_size
        if not _is_old(status, older_than):
            continue
        try:
            path.unlink()
        except FileNotFoundError:
            continue
        removed_files, removed_bytes = removed_files + 1, removed_bytes + status.st_size
    log.warning(
        "Cache evicted",
        extra={"event": "cache_evicted", "files": removed_files, "bytes": removed_bytes},
    )
    return Usage(files=files, bytes=total, old_files=removed_files, old_bytes=removed_bytes)


def _is_old(status: os.stat_result, older_than: float | None) -> bool:
    # Modification times are wall-clock time.
    return older_than is None or time.time() - status.st_mtime > older_than


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for parent, _, names in os.walk(folder, followlinks=False):
        for name in names:
            path = Path(parent, name)
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue
            if stat.S_ISREG(status.st_mode):
                yield path, status
