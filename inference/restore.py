"""Puts the bad files of a model folder right from a backup, atomically and while it is served.

Everything is copied and checked beside the old files first; only then is anything replaced.
"""

import errno
import hashlib
import os
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from inference import manifest as manifests
from inference.manifest import Entry, Manifest, ManifestError
from inference.verify import Fault, Reason, verify

_RESERVE_BYTES = 16 << 20
_TEMPORARY = ".restore-"
_STALE_SECONDS = 3600.0
_CHUNK = 1 << 20


class Cause(StrEnum):
    """Why nothing was restored."""

    MODEL = "model"
    BACKUP = "backup"
    SPACE = "space"
    COPY = "copy"


class RestoreError(Exception):
    """Nothing was restored; the text says why and what would help."""

    def __init__(self, text: str, *, cause: Cause) -> None:
        super().__init__(text)
        self.cause = cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a restore would do. Nothing was touched to find it out."""

    manifest: Manifest
    kept: bool
    faults: list[Fault]

    @property
    def files(self) -> list[str]:
        """What comes from the backup."""
        return sorted({each.file for each in self.faults if each.reason is not Reason.UNLISTED})

    @property
    def bytes(self) -> int:
        """What these weigh."""
        return sum(self.manifest.files[name].size for name in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was done."""

    files: list[str] = field(default_factory=list[str])
    quarantined: list[str] = field(default_factory=list[str])
    bytes: int = 0


def plan(folder: Path, backup: Path) -> Plan:
    """Read every byte of both; RestoreError where the folder may not be restored from there."""
    if not folder.is_dir():
        msg = f"no model folder at {folder}"
        raise RestoreError(msg, cause=Cause.MODEL)
    manifest, kept = _manifest(folder, backup)
    _demand_sound(backup, manifest)
    found = Plan(manifest=manifest, kept=kept, faults=verify(folder, manifest))
    _demand_space(folder, found.bytes)
    return found


def restore(folder: Path, backup: Path) -> Restored:
    """Make the folder sound again; RestoreError leaves it as it was."""
    planned = plan(folder, backup)
    manifest = planned.manifest
    _clear_stale(folder)
    staged: dict[str, Path] = {}
    try:
        for name in planned.files:
            staged[name] = _stage(backup / name, folder / name, manifest.files[name])
        quarantined = _replace(folder, planned.faults, staged)
        if not planned.kept:
            manifests.write(folder, manifest)
    finally:
        for temporary in staged.values():
            temporary.unlink(missing_ok=True)
    _demand_repaired(folder, manifest)
    return Restored(files=planned.files, quarantined=quarantined, bytes=planned.bytes)


def _manifest(folder: Path, backup: Path) -> tuple[Manifest, bool]:
    """What the folder must become, and whether its own manifest says so already."""
    own = _readable(folder)
    if own is not None:
        return own, True
    try:
        theirs = manifests.read(backup)
    except ManifestError as error:
        msg = f"the backup {backup} cannot be trusted: {error}"
        raise RestoreError(msg, cause=Cause.BACKUP) from error
    if theirs is None:
        msg = f"neither {folder} nor {backup} has a sound manifest.json: there is nothing to trust"
        raise RestoreError(msg, cause=Cause.BACKUP)
    return theirs, False


def _readable(folder: Path) -> Manifest | None:
    try:
        return manifests.read(folder)
    except ManifestError:
        return None


def _demand_sound(backup: Path, manifest: Manifest) -> None:
    faults = [each for each in verify(backup, manifest) if each.reason is not Reason.UNLISTED]
    if faults:
        told = "; ".join(each.text for each in faults[:3])
        msg = f"the backup {backup} is not sound, nothing was touched: {told}"
        raise RestoreError(msg, cause=Cause.BACKUP)


def _demand_space(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if size and free < size + _RESERVE_BYTES:
        msg = f"{folder} has {free} bytes free; {size} and a reserve of {_RESERVE_BYTES} are needed"
        raise RestoreError(msg, cause=Cause.SPACE)


def _stage(source: Path, target: Path, entry: Entry) -> Path:
    """Copy beside the target, hashing what is written."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=_TEMPORARY, dir=target.parent)
    digest = hashlib.sha256()
    try:
        with os.fdopen(handle, "wb") as out, source.open("rb", buffering=0) as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())
        shutil.copymode(source, name)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        msg = f"{source} could not be copied, nothing was replaced: {error}"
        raise RestoreError(msg, cause=Cause.COPY) from error
    if digest.hexdigest() != entry.sha256:
        Path(name).unlink(missing_ok=True)
        msg = f"{source} changed while it was copied, nothing was replaced"
        raise RestoreError(msg, cause=Cause.COPY)
    return Path(name)


def _replace(folder: Path, faults: list[Fault], staged: dict[str, Path]) -> list[str]:
    """Keep every bad file under another name and put the good one in its place."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    kept: list[str] = []
    for fault in faults:
        path = folder / fault.file
        aside = manifests.quarantine_name(fault.file, stamp)
        if path.exists():
            _set_aside(path, folder / aside, gone=fault.file not in staged)
            kept.append(aside)
        if fault.file in staged:
            staged[fault.file].replace(path)
        manifests.sync(path.parent)
    return kept


def _set_aside(path: Path, aside: Path, *, gone: bool) -> None:
    if gone:
        path.rename(aside)
        return
    try:
        # A second name for the bad file: its own name is never without a file behind it.
        os.link(path, aside)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.EXDEV):
            raise
        path.rename(aside)


def _demand_repaired(folder: Path, manifest: Manifest) -> None:
    faults = verify(folder, manifest)
    if faults:
        msg = f"{folder} is still not sound after the restore: {faults[0].text}"
        raise RestoreError(msg, cause=Cause.MODEL)


def _clear_stale(folder: Path) -> None:
    """Drop what a killed restore left; a younger one may still be at work."""
    for left in folder.rglob(f"{_TEMPORARY}*"):
        if time.time() - left.stat().st_mtime > _STALE_SECONDS:
            left.unlink(missing_ok=True)
