"""The files of the served model and its backup: are they sound, and the restore.

All reading and copying is done in threads, one job of a kind at a time; what is served goes on.
"""

import asyncio
import logging
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from inference import manifest as manifests
from inference.integrity import UnsoundError, prove
from inference.restore import Cause, Plan, Restored, RestoreError, plan, restore
from inference.verify import Fault, Reason

log = logging.getLogger("inference.repair")

PATIENCE = 5.0
"""Seconds that one question waits for a job; a large model takes longer and is asked for again."""
_FRESH_SECONDS = 60.0
ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What was found by reading every byte. `cause` is why it cannot be restored, if so."""

    sealed: bool
    faults: list[Fault] = field(default_factory=list[Fault])
    cause: str = ""
    refusal: str = ""
    files: list[str] = field(default_factory=list[str])
    bytes: int = 0


class Repair:
    """The one place that restores. Event loop only."""

    def __init__(self, *, folder: Path, backup: Path | None) -> None:
        self.folder = folder
        self.backup = backup
        self._looking: asyncio.Future[Examined] | None = None
        self._restoring: asyncio.Future[Restored] | None = None
        self._ended = 0.0

    @property
    def restoring(self) -> bool:
        """Is a restore under way?"""
        return self._restoring is not None

    async def look(self) -> Examined | None:
        """Examine both folders; None while that is not done yet: ask again."""
        job = self._looking
        if job is None or (job.done() and time.monotonic() - self._ended > _FRESH_SECONDS):
            job = self._looking = asyncio.ensure_future(
                asyncio.to_thread(examine, self.folder, self.backup)
            )
            job.add_done_callback(self._note_end)
        if not await _within(job):
            return None
        if self._looking is job:
            self._looking = None  # whoever asks next wants to know anew
        return job.result()

    async def rehearse(self) -> Plan:
        """What a restore would do; RestoreError where it would be refused."""
        return await asyncio.to_thread(_plan, self.folder, self._demand_backup())

    async def restore(self) -> Restored | None:
        """Restore, or join the restore under way; None while it goes on: ask again."""
        job = self._restoring
        if job is None:
            job = self._restoring = asyncio.ensure_future(
                asyncio.to_thread(_restore, self.folder, self._demand_backup())
            )
        if not await _within(job):
            return None
        self._restoring = None
        done = job.result()
        told = {"event": "model_restored", "files": done.files, "kept": done.quarantined}
        log.warning("Model restored from its backup", extra=told)
        return done

    def _demand_backup(self) -> Path:
        if self.backup is None:
            text = "no backup is configured: start the server with --backup"
            raise RestoreError(text, cause=Cause.BACKUP)
        return self.backup

    def _note_end(self, _: asyncio.Future[Examined]) -> None:
        self._ended = time.monotonic()


def examine(folder: Path, backup: Path | None) -> Examined:
    """Read every byte of both. For a thread."""
    sealed, faults = _faults(folder, backup)
    if backup is None:
        refusal = "no backup is configured (--backup)"
        return Examined(sealed=sealed, faults=faults, cause=Cause.BACKUP, refusal=refusal)
    try:
        planned = _plan(folder, backup)
    except RestoreError as error:
        return Examined(sealed=sealed, faults=faults, cause=error.cause, refusal=str(error))
    return Examined(sealed=sealed, faults=faults, files=planned.files, bytes=planned.bytes)


def _faults(folder: Path, backup: Path | None) -> tuple[bool, list[Fault]]:
    """Was it sealed, and what is wrong with it? One whose backup is sealed has been, too."""
    try:
        sealed = prove(folder).manifest is not None
    except UnsoundError as error:
        return True, error.faults
    if sealed or backup is None or not (backup / manifests.NAME).exists():
        return sealed, []
    text = f"Model file not accessible: {manifests.NAME} is missing"
    return False, [Fault(file=manifests.NAME, reason=Reason.MANIFEST, text=text)]


def _plan(folder: Path, backup: Path) -> Plan:
    """As `plan`, but nothing that never was sealed is taken for a bad copy of the backup."""
    planned = plan(folder, backup)
    if planned.faults and not (folder / manifests.NAME).exists():
        text = (
            f"{folder} has no {manifests.NAME} and differs from {backup}: it may be a newer model"
        )
        raise RestoreError(text, cause=Cause.MODEL)
    return planned


def _restore(folder: Path, backup: Path) -> Restored:
    _plan(folder, backup)
    return restore(folder, backup)


async def _within(job: asyncio.Future[ResultT]) -> bool:
    done, _ = await asyncio.wait({job}, timeout=PATIENCE)
    return bool(done)
