"""What is known of the served model's files: proved before a load, watched ever after.

It reads files in threads only, tells what it finds, and decides nothing about serving.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from inference import manifest as manifests
from inference.engine import RefusedError
from inference.manifest import Manifest, ManifestError
from inference.verify import Fault, Reason, Snapshot, snapshot, verify

log = logging.getLogger("inference.integrity")


class UnsoundError(RefusedError):
    """The model is not what was sealed: it must not be served."""

    def __init__(self, faults: list[Fault], seen: Snapshot) -> None:
        super().__init__("; ".join(fault.text for fault in faults[:3]))
        self.faults = faults
        self.seen = seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Files that were found sound, and how they looked then."""

    manifest: Manifest | None
    seen: Snapshot


def prove(folder: Path) -> Proof:
    """Read every byte; UnsoundError unless all is as sealed. A folder never sealed passes."""
    seen = snapshot(folder)
    try:
        manifest = manifests.read(folder)
    except ManifestError as error:
        raise UnsoundError([_of_manifest(str(error))], seen) from error
    faults = [] if manifest is None else verify(folder, manifest)
    if faults:
        raise UnsoundError(faults, seen)
    return Proof(manifest=manifest, seen=seen)


def demand_unchanged(folder: Path, proof: Proof) -> None:
    """After the load: the bytes that were loaded are the bytes that were proved."""
    if snapshot(folder) != proof.seen:
        text = "Checksum mismatch: files changed while the model was loaded"
        raise UnsoundError([Fault(file="", reason=Reason.CHANGED, text=text)], proof.seen)


def _of_manifest(text: str) -> Fault:
    text = f"Model file not accessible: {text}"
    return Fault(file=manifests.NAME, reason=Reason.MANIFEST, text=text)


class Integrity:
    """Watches one folder. Its methods belong to the event loop, except where said otherwise."""

    def __init__(self, *, sweep_seconds: float, failed: Callable[[str], None]) -> None:
        self._sweep_seconds = sweep_seconds
        self._failed = failed
        self._folder: Path | None = None
        self._manifest: Manifest | None = None
        self._seen: Snapshot = {}
        self._checked = time.monotonic()
        self.faults: list[Fault] = []
        self.resealed = False

    @property
    def sealed(self) -> bool:
        """Was the loaded model sealed?"""
        return self._manifest is not None

    def checked_seconds(self) -> float:
        """How long ago every byte was read."""
        return time.monotonic() - self._checked

    def follow(self, folder: Path, proof: Proof) -> None:
        """This model is served now: watch it."""
        self._folder, self._manifest, self._seen = folder, proof.manifest, proof.seen
        self._checked = time.monotonic()
        self.faults, self.resealed = [], False
        if proof.manifest is None:
            text = "Model is not sealed: nothing can tell whether it is sound"
            told = {"event": "model_not_sealed", "folder": str(folder)}
            log.warning(text, extra=told)

    def refuse(self, folder: Path, error: UnsoundError) -> None:
        """This model was not loaded; what is wrong stands until something changes."""
        self._folder, self._seen = folder, error.seen
        self._checked = time.monotonic()
        self.faults = []
        self._tell(error.faults)

    def tell(self, error: UnsoundError) -> None:
        """A model was refused while another one serves on: counted, and no fault of that one."""
        for fault in error.faults:
            self._report(fault)

    async def changed(self) -> bool:
        """The cheap look: is anything other than it was at the last full one?"""
        if self._folder is None:
            return False
        return await asyncio.to_thread(snapshot, self._folder) != self._seen

    async def review(self) -> None:
        """Look cheaply; read everything when something changed or the sweep is due."""
        if self._folder is None:
            return
        if not (await self.changed() or self.checked_seconds() >= self._sweep_seconds):
            return
        folder = self._folder
        seen, manifest, faults = await asyncio.to_thread(self._examine, folder)
        if folder != self._folder:
            return  # another model was taken up meanwhile
        self._seen, self._checked = seen, time.monotonic()
        self.resealed = _digest(manifest) != _digest(self._manifest) and not faults
        self._tell(faults)

    def _examine(self, folder: Path) -> tuple[Snapshot, Manifest | None, list[Fault]]:
        """In a thread."""
        try:
            proof = prove(folder)
        except UnsoundError as error:
            return error.seen, None, error.faults
        if proof.manifest is None and self._manifest is not None:
            return proof.seen, None, [_of_manifest(f"{manifests.NAME} is missing")]
        return proof.seen, proof.manifest, []

    def _tell(self, faults: list[Fault]) -> None:
        before, self.faults = self.faults, faults
        for fault in faults:
            if fault not in before:
                self._report(fault)
        if before and not faults:
            log.warning("Model files are sound again", extra={"event": "model_integrity_restored"})

    def _report(self, fault: Fault) -> None:
        self._failed(fault.reason)
        log.critical(
            fault.text,
            extra={
                "event": "model_integrity_check_failed", "file": fault.file,
                "reason": fault.reason.value,
            },
        )  # fmt: skip


def _digest(manifest: Manifest | None) -> str:
    return "" if manifest is None else manifest.digest
