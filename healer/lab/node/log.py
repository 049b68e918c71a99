"""What containers wrote: one file per life, the present and the one before, bounded in size."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """The log files of one container."""

    folder: Path
    limit: int

    def open(self, life: int) -> int:
        """A descriptor that appends to the log of this life; older lives but one are removed.

        OSError where the node's own folder for logs is gone: it is not made anew here.
        """
        for folder in (self.folder.parent, self.folder):
            folder.mkdir(exist_ok=True)
        self._path(life - 2).unlink(missing_ok=True)
        return os.open(self._path(life), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def read(self, life: int, *, tail: int | None = None) -> bytes:
        """What that life wrote, or its last lines; LookupError if there was none."""
        try:
            written = self._path(life).read_bytes()
        except FileNotFoundError as error:
            raise LookupError("this container has no log of that life") from error
        if tail is None:
            return written
        return b"".join(written.splitlines(keepends=True)[-tail:] if tail > 0 else [])

    def bound(self, life: int) -> None:
        """Keep the newer half of a log that has grown past the limit.

        The writer appends, so it goes on after the shortened text; a line that is written in the
        same instant may be lost, as with logrotate's copytruncate, but none comes before its turn.
        """
        path = self._path(life)
        if not path.exists() or path.stat().st_size <= self.limit:
            return
        with path.open("r+b") as file:
            kept = file.read()[-self.limit // 2 :]
            file.seek(0)
            file.write(kept[kept.find(b"\n") + 1 :])
            file.truncate()

    def _path(self, life: int) -> Path:
        return self.folder / f"{life}.log"
