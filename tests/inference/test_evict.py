"""Eviction by age: only old regular files, and only in the cache folder."""

import os
import time
from pathlib import Path

from inference.evict import evict, measure

DAY = 86_400.0


def _file(path: Path, *, size: int, days: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    then = time.time() - days * DAY
    os.utime(path, (then, then))
    return path


def test_only_what_is_older_goes_and_the_answer_counts_it(tmp_path: Path) -> None:
    old = _file(tmp_path / "cache" / "a", size=10, days=8)
    deep = _file(tmp_path / "cache" / "sub" / "b", size=20, days=9)
    young = _file(tmp_path / "cache" / "c", size=5, days=1)
    before = measure(tmp_path / "cache", older_than=7 * DAY)
    assert (before.files, before.bytes, before.old_files, before.old_bytes) == (3, 35, 2, 30)
    done = evict(tmp_path / "cache", older_than=7 * DAY)
    assert (done.old_files, done.old_bytes) == (2, 30)
    assert (old.exists(), deep.exists(), young.exists()) == (False, False, True)


def test_a_link_out_of_the_cache_is_neither_followed_nor_removed(tmp_path: Path) -> None:
    outside = _file(tmp_path / "models" / "weights", size=10, days=90)
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "file").symlink_to(outside)
    (cache / "folder").symlink_to(outside.parent)
    assert evict(cache, older_than=None).old_files == 0
    assert outside.exists()


def test_no_folder_is_an_empty_cache(tmp_path: Path) -> None:
    assert measure(tmp_path / "none", older_than=None).files == 0
    assert evict(tmp_path / "none", older_than=None).old_files == 0
