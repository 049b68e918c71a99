"""Seals a model folder: hashes its files, loads it once, and records what it answers."""

from pathlib import Path

from inference import manifest as manifests
from inference.manifest import Manifest
from inference.verify import entries


def seal(folder: Path) -> Manifest:
    """Write the manifest of what lies there now. CanaryError: not worth sealing."""
    from inference import canary, model

    files = entries(folder, manifests.members(folder))
    answer = canary.record(model.weights(folder))
    found = Manifest(files=files, canary=answer)
    manifests.write(folder, found)
    return found
