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


def in_words(sealed: Manifest) -> str:
    """What the seal holds; also how little the canary proves, where its answer had to be cut."""
    from inference.canary import ANSWER_TOKENS

    size = sum(entry.size for entry in sealed.files.values())
    told = f"sealed {len(sealed.files)} files, {size} bytes"
    answer = len(sealed.canary.tokens) if sealed.canary else 0
    if answer == ANSWER_TOKENS:
        return f"{told}, and a canary of {answer} tokens"
    return (
        f"{told}, but a canary of only {answer} of {ANSWER_TOKENS} tokens: after them this "
        "model is so undecided that it may answer otherwise the next time. Its files are proven by "
        "their hashes all the same"
    )
