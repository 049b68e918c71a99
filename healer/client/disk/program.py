"""Runs inside a pod, where its text is sent: measures folders, and takes away what is old.

Standard library only, Python 3.9 or newer. It follows no link, leaves neither its folder nor its
file system, and stops as soon as there is room. Imported by tests alone, for it runs elsewhere.
"""

import contextlib
import gzip
import json
import os
import re
import signal
import stat
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
LEAVING = ".leaving-"
"""What is being taken away bears another name meanwhile: half of it never passes for the whole."""
LOG = re.compile(r"[^.].*\.log")
ROTATED = re.compile(r"(?P<log>[^.].*\.log)\.(?P<number>[0-9]{1,4})(?P<gz>\.gz)?")
PIECE = 1 << 20
SAMPLE = 1 << 18


class Item:
    """Something that may go: how to name it, how much room it gives, and how it goes."""

    def __init__(self, name: str, size: int, go: Callable[[], None]) -> None:
        self.name = name
        self.size = size
        self.go = go


# ---------------------------------------------------------------------------------------- measuring


def used(path: str) -> dict[str, Any]:
    """How full the volume is, as df reckons it."""
    found = os.statvfs(path)
    taken, free = found.f_blocks - found.f_bfree, found.f_bavail
    return {
        "used_bytes": taken * found.f_frsize,
        "total_bytes": (taken + free) * found.f_frsize,
        "used_share": taken / (taken + free) if taken + free else 0.0,
    }


def look(name: str, at: int) -> os.stat_result:
    """An entry of a folder, itself and not what it leads to."""
    return os.stat(name, dir_fd=at, follow_symlinks=False)


def entries(at: int) -> Iterator[tuple[str, os.stat_result]]:
    """All entries of a folder; what goes away meanwhile is passed over."""
    for name in sorted(os.listdir(at)):
        try:
            yield name, look(name, at)
        except FileNotFoundError:
            continue


def inside(at: int, name: str) -> int:
    """A folder in a folder; no link, and on the same file system."""
    found = os.open(name, FOLDER, dir_fd=at)
    if os.fstat(found).st_dev != os.fstat(at).st_dev:
        os.close(found)
        raise OSError("another volume is mounted at " + name)
    return found


def weigh(at: int, name: str) -> tuple[int, float]:
    """What an entry with all below it takes on the disk, and when any of it was changed last."""
    info = look(name, at)
    size, newest = info.st_blocks * 512 // max(1, links(info)), info.st_mtime
    if stat.S_ISDIR(info.st_mode):
        child = inside(at, name)
        try:
            for below in os.listdir(child):
                more, later = weigh(child, below)
                size, newest = size + more, max(newest, later)
        finally:
            os.close(child)
    return size, newest


def links(info: os.stat_result) -> int:
    """How many names share a file; folders count once."""
    return 1 if stat.S_ISDIR(info.st_mode) else info.st_nlink


# ----------------------------------------------------------------------------------------- removing


def remove(at: int, name: str) -> None:
    """An entry and all below it; a link goes, what it leads to stays."""
    if not stat.S_ISDIR(look(name, at).st_mode):
        os.unlink(name, dir_fd=at)
        return
    child = inside(at, name)
    try:
        for below in os.listdir(child):
            remove(child, below)
    finally:
        os.close(child)
    os.rmdir(name, dir_fd=at)


def discard(at: int, name: str) -> None:
    """The same, under a name that says so."""
    leaving = name if name.startswith(LEAVING) else LEAVING + name
    if leaving != name:
        os.rename(name, leaving, src_dir_fd=at, dst_dir_fd=at)
    remove(at, leaving)


def leftovers(at: int) -> list[Item]:
    """What an earlier run did not finish."""
    names = [name for name, _ in entries(at) if name.startswith(LEAVING)]
    return [Item(name, weigh(at, name)[0], partial(discard, at, name)) for name in names]


# -------------------------------------------------------------------------------------- checkpoints


def checkpoints(at: int, order: dict[str, Any]) -> list[Item]:
    """All but the newest, the oldest first; never one that a link names, or that is still young."""
    named: set[str] = set()
    found: list[tuple[float, str]] = []
    for name, info in entries(at):
        if stat.S_ISLNK(info.st_mode):
            named.add(os.path.basename(os.readlink(name, dir_fd=at).rstrip("/")))
        elif not name.startswith("."):
            found.append((weigh(at, name)[1], name))
    old = sorted(found, reverse=True)[order["keep"] :]
    before = time.time() - order["min_age"]
    going = [name for age, name in reversed(old) if age < before and name not in named]
    return leftovers(at) + [
        Item(name, weigh(at, name)[0], partial(discard, at, name)) for name in going
    ]


# ---------------------------------------------------------------------------------------- revisions


def revisions(at: int, order: dict[str, Any]) -> list[Item]:
    """Snapshots of a model cache (the layout of the Hugging Face hub) that no ref points to."""
    found: list[Item] = []
    for name, info in entries(at):
        if stat.S_ISDIR(info.st_mode) and name.startswith("models--"):
            found += _old_snapshots(inside(at, name), name, order)
    return found


def _old_snapshots(model: int, name: str, order: dict[str, Any]) -> list[Item]:
    referred = set(_refs(model, "refs"))
    if not referred:
        return []  # nothing says which one is in use: none may go
    snapshots, blobs = inside(model, "snapshots"), inside(model, "blobs")
    before = time.time() - order["min_age"]
    ages = {
        one: weigh(snapshots, one)[1]
        for one, info in entries(snapshots)
        if stat.S_ISDIR(info.st_mode) and one not in referred and not one.startswith(".")
    }
    going = sorted((one for one, age in ages.items() if age < before), key=lambda one: ages[one])
    items = leftovers(snapshots)
    for one in going:
        own = _blobs_of(snapshots, one, blobs)
        others = [other for other, _ in entries(snapshots) if other not in going]
        kept = {blob for other in others for blob in _blobs_of(snapshots, other, blobs)}
        size = sum(size for blob, size in own.items() if blob not in kept)

        def go(one: str = one, own: Any = own) -> None:
            discard(snapshots, one)
            left = [other for other, _ in entries(snapshots)]
            needed = {blob for other in left for blob in _blobs_of(snapshots, other, blobs)}
            for blob in set(own) - needed:
                os.unlink(blob, dir_fd=blobs)

        items.append(Item(name + "@" + one, size, go))
    return items


def _refs(at: int, name: str) -> Iterator[str]:
    """The revisions that refs hold, however deep their names."""
    child = inside(at, name)
    try:
        for below, info in entries(child):
            if stat.S_ISDIR(info.st_mode):
                yield from _refs(child, below)
            elif stat.S_ISREG(info.st_mode):
                with os.fdopen(os.open(below, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=child)) as file:
                    yield file.read(200).strip()
    finally:
        os.close(child)


def _blobs_of(at: int, name: str, blobs: int) -> dict[str, int]:
    """The blobs that the links below a snapshot name, and what each takes on the disk."""
    found: dict[str, int] = {}
    child = inside(at, name)
    try:
        for below, info in entries(child):
            if stat.S_ISDIR(info.st_mode):
                found.update(_blobs_of(child, below, blobs))
            elif stat.S_ISLNK(info.st_mode):
                blob = os.path.basename(os.readlink(below, dir_fd=child))
                try:
                    there = look(blob, blobs)
                except FileNotFoundError:
                    continue
                if stat.S_ISREG(there.st_mode):
                    found[blob] = there.st_blocks * 512
    finally:
        os.close(child)
    return found


# --------------------------------------------------------------------------------------------- logs


def logs(at: int, order: dict[str, Any]) -> list[Item]:
    """Rotated logs beyond the newest, the oldest first; then large ones in use, to be packed."""
    rotated: dict[str, list[tuple[int, str]]] = {}
    active: list[tuple[str, os.stat_result]] = []
    for name, info in entries(at):
        match = ROTATED.fullmatch(name)
        if not stat.S_ISREG(info.st_mode):
            continue
        if match:
            rotated.setdefault(match["log"], []).append((int(match["number"]), name))
        elif LOG.fullmatch(name) and info.st_size >= order["larger_than"]:
            active.append((name, info))
    gone = [
        name
        for packed in rotated.values()
        for _, name in sorted(sorted(packed)[order["keep"] :], reverse=True)
    ]
    items = [Item(name, weigh(at, name)[0], partial(remove, at, name)) for name in gone]
    for name, info in active:
        room = int(info.st_blocks * 512 * (1 - _packs_to(at, name)))
        items.append(Item(name, room, partial(rotate, at, name, order["keep"])))
    return items


def _packs_to(at: int, name: str) -> float:
    """The share that is left of a log once it is packed, guessed from its beginning."""
    with os.fdopen(_open_log(at, name, os.O_RDONLY), "rb") as file:
        sample = file.read(SAMPLE)
    return len(zlib.compress(sample, 1)) / len(sample) if sample else 0.0


def _open_log(at: int, name: str, flags: int) -> int:
    return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)


def rotate(at: int, name: str, keep: int) -> None:
    """Pack what is in a log, and empty it where it is: whoever writes it goes on writing there."""
    new = LEAVING + name + ".gz"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    try:
        with os.fdopen(_open_log(at, name, os.O_RDWR), "r+b", buffering=0) as log:
            target = os.open(new, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640, dir_fd=at)
            with os.fdopen(target, "wb") as file, gzip.GzipFile(fileobj=file, mode="wb") as packed:
                while piece := log.read(PIECE):
                    packed.write(piece)
            _shift(at, name, keep)
            os.rename(new, name + ".1.gz", src_dir_fd=at, dst_dir_fd=at)
            log.truncate(0)
    except OSError:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new, dir_fd=at)  # no room even for this: nothing is lost
        raise


def _shift(at: int, name: str, keep: int) -> None:
    """One number higher for each rotated log, and none beyond `keep`."""
    found: list[tuple[int, str, str]] = []
    for other, info in entries(at):
        match = ROTATED.fullmatch(other)
        if match and match["log"] == name and stat.S_ISREG(info.st_mode):
            found.append((int(match["number"]), other, match["gz"] or ""))
    for number, other, packed in sorted(found, reverse=True):
        if number >= keep:
            os.unlink(other, dir_fd=at)
        else:
            after = name + "." + str(number + 1) + packed
            os.rename(other, after, src_dir_fd=at, dst_dir_fd=at)


# ----------------------------------------------------------------------------------------- the walk

KINDS: dict[str, Callable[[int, dict[str, Any]], list[Item]]] = {
    "checkpoints": checkpoints,
    "logs": logs,
    "revisions": revisions,
}


def opened(path: str) -> int:
    """The folder that everything stays in. No part of its path may be a link."""
    if os.path.realpath(path) != os.path.normpath(path) or path.count("/") < 2:
        raise OSError(path + " leads through a link, or is too near to the root")
    return os.open(path, FOLDER)


def sweep(order: dict[str, Any]) -> dict[str, Any]:
    """List what may go, or with `until` take it away until the volume is less full than that."""
    path, until = order["path"], order.get("until")
    if not os.path.lexists(path):
        return {**used(order["volume"]), "missing": True, "items": [], "gone": [], "failed": []}
    items = KINDS[order["kind"]](opened(path), order)
    gone: list[str] = []
    failed: list[str] = []
    for item in items if until is not None else ():
        if used(path)["used_share"] < until:
            break
        try:
            item.go()
        except OSError as error:
            failed.append(item.name + ": " + str(error))
        else:
            gone.append(item.name)
    left = [item for item in items if item.name not in gone]
    return {
        **used(path),
        "missing": False,
        "items": [{"name": item.name, "bytes": item.size} for item in left],
        "gone": gone,
        "failed": failed,
    }


def survey(order: dict[str, Any]) -> dict[str, Any]:
    """How full the volume is, and by which of its folders."""
    at = opened(order["volume"])
    weights: dict[str, int] = {}
    for name, _ in entries(at) if order["most"] else ():
        try:
            weights[name] = weigh(at, name)[0]
        except OSError:
            continue  # gone meanwhile, not ours to read, or another volume
    folders = sorted(weights.items(), key=lambda one: -one[1])
    return {
        **used(order["volume"]),
        "folders": [{"name": name, "bytes": size} for name, size in folders[: order["most"]]],
    }


def main() -> None:
    """One order, as JSON on the command line; one answer, as JSON."""
    order = json.loads(sys.argv[1])
    signal.alarm(order["seconds"])
    try:
        answer = survey(order) if order["kind"] == "survey" else sweep(order)
    except OSError as error:
        answer = {"error": str(error)}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
