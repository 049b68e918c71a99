"""What runs on the far side of a fork: `hold` owns the volumes, the other modes become a program:
`pod` with mounts of its own, `plain` as it is.

A script of its own that imports nothing but the standard library, for it must be quick and have one
thread. It prepares namespaces and mounts, then executes; it never talks to the API.
"""

import contextlib
import ctypes
import errno
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

NEW_MOUNTS, NEW_USER = 0x00020000, 0x10000000
READ_ONLY, REMOUNT, BIND, MOVE, RECURSIVE, PRIVATE = 1, 32, 4096, 8192, 16384, 1 << 18
KEPT_FLAGS = 2 | 4 | 8 | 1024 | 2048  # nosuid, nodev, noexec, noatime, nodiratime: may be locked
STEP_BACK = 10
DETACH, DEATH_SIGNAL, PIVOT_ROOT = 2, 1, {"x86_64": 155, "aarch64": 41}

libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: object) -> None:
    """Call a function of libc; an OSError if it fails."""
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        shown = " ".join(a.decode() if isinstance(a, bytes) else str(a) for a in arguments)
        raise OSError(number, f"{name} {shown}: {os.strerror(number)}")


def mount(
    source: str | Path, target: Path, kind: str = "", flags: int = 0, options: str = ""
) -> None:
    """mount(2)."""
    call(
        "mount",
        bytes(Path(source)),
        bytes(target),
        kind.encode(),
        ctypes.c_ulong(flags),
        options.encode(),
    )


def separate(*, user: bool) -> None:
    """Give this process mounts of its own; with `user`, without being root."""
    uid, gid = os.getuid(), os.getgid()
    call("unshare", NEW_MOUNTS | (NEW_USER if user else 0))
    if user:
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"0 {uid} 1"),
            ("gid_map", f"0 {gid} 1"),
        ):
            Path(f"/proc/self/{name}").write_text(text)
    mount("none", Path("/"), flags=RECURSIVE | PRIVATE)


def join(pid: int, *, user: bool) -> None:
    """Move into the namespaces of another process."""
    names = ("user", "mnt") if user else ("mnt",)
    doors = [os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in names]
    for door in doors:
        call("setns", door, 0)


def die_with(parent: int) -> None:
    """Be killed when the lab is. Credentials have changed for good by now: that clears the wish."""
    call("prctl", DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


# ------------------------------------------------------------------------------------------ mounts


class Room:
    """Makes mount points in a private copy of the tree: the machine's folders stay as they are."""

    def __init__(self, stage: Path) -> None:
        self._stage = stage
        self._own: set[int] = set()

    def mount(self, volume: dict[str, Any]) -> None:
        """Bind a volume's folder or file to its place."""
        source, target = Path(volume["source"]), Path(volume["target"]).resolve()
        self._make(target, folder=source.is_dir())
        mount(source, target, flags=BIND | RECURSIVE)
        if volume["readonly"]:
            kept = os.statvfs(target).f_flag & KEPT_FLAGS
            mount("none", target, flags=REMOUNT | BIND | READ_ONLY | kept)
        else:
            self._own.add(target.stat().st_dev)

    def _make(self, target: Path, *, folder: bool) -> None:
        if target.exists():
            return
        parent = next(above for above in target.parents if above.exists())
        if parent.stat().st_dev not in self._own:
            self._open(parent)
        (target if folder else target.parent).mkdir(parents=True, exist_ok=True)
        if not folder:
            target.touch()

    def _open(self, parent: Path) -> None:
        """Put a writable folder with the same entries where `parent` is."""
        mount("tmpfs", self._stage, "tmpfs", 0, "mode=755,size=4m")
        self._own.add(self._stage.stat().st_dev)
        for entry in parent.iterdir():
            self._copy(entry)
        if parent != Path("/"):
            mount(self._stage, parent, flags=MOVE)
            return
        os.chdir(self._stage)
        call("syscall", PIVOT_ROOT[os.uname().machine], b".", b".")
        call("umount2", b".", DETACH)
        os.chdir("/")

    def _copy(self, entry: Path) -> None:
        place = self._stage / entry.name
        if entry.is_symlink():
            place.symlink_to(entry.readlink())
            return
        if entry.is_dir():
            place.mkdir()
        else:
            place.touch()
        mount(entry, place, flags=BIND | RECURSIVE)


# ------------------------------------------------------------------------------------------- modes


def hold(spec: dict[str, Any]) -> None:
    """Own the volumes and obey orders, a JSON line each; when the lab is gone, kill the pods."""
    separate(user=spec["user"])
    base, groups = Path(spec["base"]), set[int]()
    mount("tmpfs", base, "tmpfs", 0, "mode=700,size=64m")
    (base / "stage").mkdir()
    say({})
    for line in sys.stdin:
        order = json.loads(line)
        answer = {"number": order["number"]}
        try:
            obey(order, groups)
        except OSError as error:
            answer["error"] = str(error)
        try:
            say(answer)
        except BrokenPipeError:
            break
    sweep(groups, spec["cgroup"])
    os._exit(0)


def sweep(groups: set[int], cgroup: str | None) -> None:
    """Kill what is left of the pods, and take their cgroups away as soon as they are empty."""
    for group in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
    for _ in range(50):
        if cgroup is None or not Path(cgroup).exists():
            return
        with contextlib.suppress(OSError):
            for folder in Path(cgroup).iterdir():
                if folder.is_dir():
                    folder.rmdir()
            Path(cgroup).rmdir()
        time.sleep(0.05)


def say(answer: dict[str, Any]) -> None:
    """One JSON line to the lab."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def obey(order: dict[str, Any], groups: set[int]) -> None:
    """Do one thing that only the owner of the volumes can do."""
    match order["do"]:
        case "mount":
            Path(order["path"]).mkdir(parents=True, exist_ok=True)
            mount("tmpfs", Path(order["path"]), "tmpfs", 0, f"mode=777,{order['options']}")
        case "remount":
            flags = REMOUNT | (READ_ONLY if order["readonly"] else 0)
            mount("none", Path(order["path"]), "", flags, order["options"])
        case "unmount":
            call("umount2", order["path"].encode(), DETACH)
        case "watch":
            groups.add(order["group"])
        case "forget":
            groups.discard(order["group"])
        case other:
            raise OSError(errno.EINVAL, f"unknown order {other!r}")


def pod(spec: dict[str, Any]) -> None:
    """Mount the volumes where the container wants them and become its program.

    On nodes of its own it would take no CPU from healer and the monitoring: here it steps back.
    """
    os.nice(STEP_BACK)
    for path in spec["cgroups"]:
        Path(path).write_text(str(os.getpid()))
    join(spec["holder"], user=spec["user"])
    call("unshare", NEW_MOUNTS)
    room = Room(Path(spec["base"]) / "stage")
    for volume in sorted(spec["mounts"], key=lambda v: v["target"].count("/")):
        room.mount(volume)
    call("umount2", spec["base"].encode(), DETACH)
    become(spec)


def become(spec: dict[str, Any]) -> None:
    """The last step: nothing of this script remains."""
    die_with(spec["parent"])
    os.chdir(spec["folder"])
    os.execvp(spec["argv"][0], spec["argv"])  # noqa: S606 to become a program is its purpose


MODES: dict[str, Callable[[dict[str, Any]], None]] = {
    "hold": hold,
    "pod": pod,
    "plain": become,
}


def main() -> None:
    """launch.py MODE SPEC, the spec as JSON.

    The lab reads from `started`: nothing, if all went well, for the descriptor closes on execution.
    """
    spec = json.loads(sys.argv[2])
    started = spec.get("started", 2)
    try:
        os.set_inheritable(started, started == 2)
        MODES[sys.argv[1]](spec)
    except OSError as error:
        os.write(2, f"cannot start: {error}\n".encode())
        if started != 2:
            os.write(started, str(error).encode())
        os._exit(127 if isinstance(error, FileNotFoundError) else 128)


if __name__ == "__main__":
    main()
