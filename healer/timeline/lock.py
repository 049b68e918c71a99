"""Two daemons on one timeline would both act: the second is refused. The kernel frees the lock."""

import fcntl
import os
from pathlib import Path

from healer.errors import TimelineError


class Lock:
    """An exclusive lock on the file `<path>.lock`, held until released or the process dies."""

    def __init__(self, path: Path) -> None:
        name = path.with_name(f"{path.name}.lock")
        try:
            self._file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            message = f"{path}: the timeline cannot be locked: {name}: {error.strerror}"
            raise TimelineError(message) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._file, 32).decode("ascii", "replace").strip()
            os.close(self._file)
            who = f"process {holder}" if holder else "another process"
            message = f"{path}: the timeline is in use by {who}, which holds {name}"
            raise TimelineError(message) from error
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let the next one have it."""
        os.close(self._file)
