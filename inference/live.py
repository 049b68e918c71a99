"""Settings that change while the server runs: maxNumSeqs and gpuMemoryUtilization.

They come from a ConfigMap folder (a file per key) or a YAML file, re-read when it changes, and from
the admin endpoint; the latest word counts.
"""

import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import cast

import yaml

from inference.settings import SettingsError

log = logging.getLogger("inference.live")

_KEYS = ("maxNumSeqs", "gpuMemoryUtilization")


class LiveConfig:
    """The values in force now."""

    def __init__(
        self, *, max_num_seqs: int, gpu_memory_utilization: float, path: Path | None = None
    ) -> None:
        self.max_num_seqs = max_num_seqs
        self.gpu_memory_utilization = gpu_memory_utilization
        self._path = path
        self._seen: dict[str, object] = {}
        if path is not None:
            self._seen = _read(path)
            self.change(self._seen)

    def change(self, values: dict[str, object]) -> None:
        """Put values in force, all or none; SettingsError names the one that is wrong."""
        unknown = sorted(set(values) - set(_KEYS))
        if unknown:
            msg = f"unknown key {unknown[0]!r}: known are {', '.join(_KEYS)}"
            raise SettingsError(msg)
        sequences = _whole(values.get("maxNumSeqs", self.max_num_seqs))
        share = _share(values.get("gpuMemoryUtilization", self.gpu_memory_utilization))
        self.max_num_seqs, self.gpu_memory_utilization = sequences, share

    def refresh(self, failed: Callable[[Exception], None]) -> bool:
        """Read the file again; True when it changed something. A bad file changes nothing."""
        if self._path is None:
            return False
        try:
            found = _read(self._path)
            if found == self._seen:
                return False
            self._seen = found
            self.change(found)
        except SettingsError as error:
            told = {"event": "config_refused", "reason": str(error)}
            log.warning("Configuration not applied", extra=told)
            failed(error)
            return False
        log.warning("Configuration applied", extra={"event": "config_applied", "values": found})
        return True


def _read(path: Path) -> dict[str, object]:
    """Known keys of a folder or file; other keys of a shared ConfigMap are none of our business."""
    try:
        if path.is_dir():
            found = {
                key: cast("object", yaml.safe_load((path / key).read_text(encoding="utf-8")))
                for key in _KEYS
                if (path / key).is_file()
            }
        else:
            parsed: object = yaml.safe_load(path.read_text(encoding="utf-8"))
            if parsed is not None and not isinstance(parsed, dict):
                msg = f"{path}: must be a mapping of keys to values"
                raise SettingsError(msg)
            document = cast("dict[object, object]", parsed or {})
            found = {key: document[key] for key in _KEYS if key in document}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        msg = f"{path}: {error}"
        raise SettingsError(msg) from error
    return {key: _number(value) for key, value in found.items()}


def _number(value: object) -> object:
    """A ConfigMap holds texts only, so "128" means 128 there."""
    return yaml.safe_load(value) if isinstance(value, str) else value


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        msg = f"maxNumSeqs: {value!r} must be a whole number of at least 1"
        raise SettingsError(msg)
    return value


def _share(value: object) -> float:
    share = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        share = float(value)
    if not 0.05 <= share <= 1:
        msg = f"gpuMemoryUtilization: {value!r} must be a number from 0.05 to 1"
        raise SettingsError(msg)
    return share
