"""The real classifier: what it tells apart, and that no other file passes for it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from inference.router.minilm import FILES, ClassifierError, MiniLm, cosine, demand_sound, folder_of

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def model() -> MiniLm:
    found = MiniLm(folder_of(None), threads=1)
    found.prove()
    return found


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in FILES:
        shutil.copy(folder_of(None) / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(
    ("prompt", "nearest"),
    [
        ("Why does my Python loop never end?", "code"),
        ("Verse about autumn leaves, please", "poems"),
        ("May my landlord keep the deposit?", "law"),
    ],
)
def test_prompts_are_nearest_to_what_is_like_them(model: MiniLm, prompt: str, nearest: str) -> None:
    examples = {
        "code": "Write a function in Python and fix its bugs",
        "poems": "Write a poem about the seasons",
        "law": "What are my rights under this rental contract?",
    }
    asked, *vectors = model.embed([prompt, *examples.values()])
    scores = dict(zip(examples, (cosine(asked, each) for each in vectors), strict=True))
    assert max(scores, key=lambda name: scores[name]) == nearest


def test_vectors_do_not_depend_on_what_else_is_in_the_batch(model: MiniLm) -> None:
    (alone,) = model.embed(["hello"])
    together = model.embed(["hello", "a much longer text " * 20])[0]
    assert cosine(alone, together) > 0.9999
    assert cosine(alone, alone) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("name", list(FILES))
def test_a_flipped_bit_in_any_file_is_found(copy: Path, name: str) -> None:
    demand_sound(copy)
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    with pytest.raises(ClassifierError, match=f"{name}: checksum mismatch"):
        demand_sound(copy)


def test_a_missing_file_is_named(copy: Path) -> None:
    (copy / "vocab.txt").unlink()
    with pytest.raises(ClassifierError, match=r"not accessible.*vocab\.txt"):
        demand_sound(copy)


def test_the_command_proves_it_or_says_why_not(copy: Path) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "inference", "classifier", *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ}
        )
        return done.returncode, done.stdout + done.stderr

    assert run(str(copy)) == (0, "OK\n")
    (copy / "config.json").write_text("{}")
    assert run(str(copy)) == (1, f"{copy / 'config.json'}: checksum mismatch\n")
