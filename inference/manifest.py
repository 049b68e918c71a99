"""The manifest of a model folder: every file's size and SHA-256, and the canary's answer.

It is written when a model is sealed and is what every later check compares with. No torch here.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import cast

NAME = "manifest.json"
_QUARANTINED = ".corrupt-"


class ManifestError(Exception):
    """A manifest that cannot be trusted; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one file was when the model was sealed."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """A fixed prompt and what the sound model answers to it, greedily."""

    prompt: tuple[int, ...]
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Everything that was sealed."""

    files: Mapping[str, Entry]
    canary: Canary | None = None

    @property
    def digest(self) -> str:
        """Names this very set of files."""
        return hashlib.sha256(_text(_files(self)).encode()).hexdigest()


def members(folder: Path) -> list[str]:
    """Names of the files that belong to a model, without the manifest and what restores leave."""
    found = (path for path in folder.rglob("*") if path.is_file())
    names = [PurePosixPath(path.relative_to(folder)) for path in found]
    return sorted(str(name) for name in names if _belongs(name))


def _belongs(name: PurePosixPath) -> bool:
    hidden = any(part.startswith(".") for part in name.parts)
    return not hidden and _QUARANTINED not in name.name and str(name) != NAME


def quarantine_name(name: str, stamp: str) -> str:
    """What a bad file is called from now on."""
    return f"{name}{_QUARANTINED}{stamp}"


def read(folder: Path) -> Manifest | None:
    """The folder's manifest, None where there is none; ManifestError when it is not sound."""
    try:
        content: object = json.loads((folder / NAME).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        msg = f"{NAME} cannot be read: {error}"
        raise ManifestError(msg) from error
    try:
        return _parse(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        msg = f"{NAME} is not what was written: {error}"
        raise ManifestError(msg) from error


def write(folder: Path, manifest: Manifest) -> None:
    """Put it in place at once and for good."""
    content: dict[str, object] = {"version": 1, "files": _files(manifest)}
    if manifest.canary is not None:
        canary = manifest.canary
        content["canary"] = {"prompt": list(canary.prompt), "tokens": list(canary.tokens)}
    content["sha256"] = _seal(content)
    handle, temporary = tempfile.mkstemp(prefix=".manifest-", dir=folder)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(json.dumps(content, indent=1, sort_keys=True) + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(folder / NAME)
    finally:
        Path(temporary).unlink(missing_ok=True)
    sync(folder)


def sync(folder: Path) -> None:
    """Make the folder's names durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _parse(content: object) -> Manifest:
    known = cast("dict[str, object]", content)
    stated = known.pop("sha256")
    if stated != _seal(known):
        msg = "its own checksum does not match"
        raise ValueError(msg)
    files = cast("dict[str, dict[str, object]]", known["files"])
    for name in files:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            msg = f"{name!r} leaves the folder"
            raise ValueError(msg)
    entries = {
        name: Entry(size=int(str(entry["size"])), sha256=str(entry["sha256"]))
        for name, entry in files.items()
    }
    given = cast("dict[str, list[int]] | None", known.get("canary"))
    canary = None
    if given is not None:
        canary = Canary(prompt=tuple(given["prompt"]), tokens=tuple(given["tokens"]))
    return Manifest(files=entries, canary=canary)


def _files(manifest: Manifest) -> dict[str, object]:
    return {
        name: {"size": entry.size, "sha256": entry.sha256} for name, entry in manifest.files.items()
    }


def _seal(content: dict[str, object]) -> str:
    return hashlib.sha256(_text(content).encode()).hexdigest()


def _text(content: dict[str, object]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"))
