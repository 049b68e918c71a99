"""Compares a model folder with its manifest: full SHA-256 in threads, and the cheap look at stat.

It finds and names what is wrong; it repairs nothing and it never maps a file.
"""

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from inference.manifest import NAME, Entry, Manifest, members

# What a loader would read if it lay in the folder, listed or not.
_READ_BY_LOADERS = frozenset(
    {".bin", ".gguf", ".jinja", ".json", ".model", ".pt", ".pth", ".py", ".safetensors"}
)
_THREADS = 4
_CHUNK = 1 << 20


class Reason(StrEnum):
    """Why a model is not what was sealed; label of the metric."""

    MANIFEST = "manifest"
    MISSING = "missing"
    SIZE = "size"
    CHECKSUM = "checksum"
    UNREADABLE = "unreadable"
    UNLISTED = "unlisted"
    CHANGED = "changed"
    CANARY = "canary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong, in the words that runbooks search the log for."""

    file: str
    reason: Reason
    text: str


# Size, mtime, ctime and inode of every file: cheap to take, and any write changes it.
Snapshot = dict[str, tuple[int, int, int, int]]


def snapshot(folder: Path) -> Snapshot:
    """The cheap look, manifest included; a file that vanishes meanwhile is simply not in it."""
    found: Snapshot = {}
    for name in (*members(folder), NAME):
        try:
            stat = (folder / name).stat()
        except OSError:
            continue
        found[name] = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
    return found


def verify(folder: Path, manifest: Manifest) -> list[Fault]:
    """Every fault there is; all bytes are read."""
    names = sorted(manifest.files)
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1), "integrity") as threads:
        sums = [threads.submit(check, folder / name, name, manifest.files[name]) for name in names]
        faults = [fault for each in sums if (fault := each.result()) is not None]
    return faults + _unlisted(folder, manifest)


def check(path: Path, name: str, entry: Entry) -> Fault | None:
    """One file against its entry."""
    try:
        size = path.stat().st_size
        if size != entry.size:
            text = f"Checksum mismatch: {name} has {size} bytes, sealed were {entry.size}"
            return Fault(file=name, reason=Reason.SIZE, text=text)
        found = sha256(path)
    except FileNotFoundError:
        text = f"Model file not accessible: {name} is missing"
        return Fault(file=name, reason=Reason.MISSING, text=text)
    except OSError as error:
        text = f"Model file not accessible: {name}: {error}"
        return Fault(file=name, reason=Reason.UNREADABLE, text=text)
    if found == entry.sha256:
        return None
    text = f"Checksum mismatch: {name} has SHA-256 {found}, sealed was {entry.sha256}"
    return Fault(file=name, reason=Reason.CHECKSUM, text=text)


def entries(folder: Path, names: Iterable[str]) -> dict[str, Entry]:
    """What these files are now."""
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1), "integrity") as threads:
        sums = {name: threads.submit(_entry, folder / name) for name in names}
        return {name: each.result() for name, each in sums.items()}


def sha256(path: Path) -> str:
    """By plain reads: a file cut short meanwhile is an error or another sum, never a signal."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _entry(path: Path) -> Entry:
    return Entry(size=path.stat().st_size, sha256=sha256(path))


def _unlisted(folder: Path, manifest: Manifest) -> list[Fault]:
    extra = [name for name in members(folder) if name not in manifest.files]
    return [
        Fault(
            file=name,
            reason=Reason.UNLISTED,
            text=f"Model file not sealed: {name} is not in the manifest and would be read",
        )
        for name in extra
        if Path(name).suffix in _READ_BY_LOADERS
    ]
