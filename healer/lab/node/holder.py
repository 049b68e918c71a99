"""The process that owns all volumes of the node, seen from the lab.

Volumes live in its mount namespace: they outlive pods, and vanish with the lab, however it ends.
"""

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, TypeVar

Stream = TypeVar("Stream")

LAUNCH = Path(__file__).with_name("launch.py")


class HolderError(Exception):
    """A volume could not be made, grown or removed; the message is the kernel's."""


def command(mode: str, spec: dict[str, Any]) -> list[str]:
    """The argv that runs the launcher: isolated, without site packages, hence quick."""
    return [sys.executable, "-I", "-S", str(LAUNCH), mode, json.dumps(spec)]


def piped(stream: Stream | None) -> Stream:
    """A stream that exists because a pipe was asked for."""
    if stream is None:
        raise TypeError("the process was started without a pipe here")
    return stream


class Holder:
    """Orders to the owner of the volumes; paths are relative to its base folder."""

    def __init__(self, process: Process, *, base: Path, rootless: bool) -> None:
        self._process = process
        self._turn = asyncio.Lock()
        self._number = 0
        self.base = base
        self.rootless = rootless
        self.pid = process.pid
        self.outside = Path(f"/proc/{process.pid}/root{base}")
        """The same folder as `base`, as this process can reach it."""

    async def mount(self, path: str, *, size: int | None) -> None:
        """A new empty volume, of that many bytes if given."""
        options = "" if size is None else f"size={size}"
        await self._ask(do="mount", path=str(self.base / path), options=options)

    async def resize(self, path: str, *, size: int, readonly: bool = False) -> None:
        """Grow or shrink a mounted volume under the feet of whoever uses it."""
        await self._ask(
            do="remount", path=str(self.base / path), options=f"size={size}", readonly=readonly
        )

    async def unmount(self, path: str) -> None:
        """Let go of a volume; it is gone when its last user is."""
        await self._ask(do="unmount", path=str(self.base / path))

    def size(self, path: str) -> int:
        """The size of the volume that a path under `base` lies on; 0 for other paths."""
        if not Path(path).is_relative_to(self.base):
            return 0
        found = os.statvfs(self.outside / Path(path).relative_to(self.base))
        return found.f_blocks * found.f_frsize

    async def watch(self, group: int) -> None:
        """From now on this process group dies with the lab."""
        await self._ask(do="watch", group=group)

    async def forget(self, group: int) -> None:
        """The process group has ended; its number may come again."""
        await self._ask(do="forget", group=group)

    async def _ask(self, **order: object) -> None:
        self._number += 1
        number = self._number
        async with self._turn:
            line = json.dumps(order | {"number": number}).encode()
            piped(self._process.stdin).write(line + b"\n")
            answer = await self._answer(number)
        if answer is None:
            raise HolderError("the process that owns the volumes of the node has ended")
        if "error" in answer:
            raise HolderError(str(answer["error"]))

    async def _answer(self, number: int) -> Any:
        """The answer to an order; those to orders that were cancelled meanwhile are passed over."""
        with contextlib.suppress(ConnectionResetError):
            while line := await piped(self._process.stdout).readline():
                answer = json.loads(line)
                if answer["number"] == number:
                    return answer
        return None


@contextlib.asynccontextmanager
async def holding(
    folder: Path, *, rootless: bool | None = None, cgroup: Path | None = None
) -> AsyncGenerator[Holder]:
    """Run a holder; without root by user namespaces, which is also what `rootless` asks for.

    At its end it takes the `cgroup` of the lab with it.
    """
    base = folder / "volumes"
    base.mkdir(parents=True)
    user = os.geteuid() != 0 if rootless is None else rootless
    spec = {"base": str(base), "user": user, "cgroup": None if cgroup is None else str(cgroup)}
    process = await asyncio.create_subprocess_exec(
        *command("hold", spec),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        start_new_session=True,
    )
    try:
        if not await piped(process.stdout).readline():
            reason = (await piped(process.stderr).read()).decode(errors="replace").strip()
            raise HolderError(
                f"no private mounts here: {reason}. The lab needs root or unprivileged user"
                " namespaces (sysctl kernel.unprivileged_userns_clone=1, and on Ubuntu 24.04"
                " kernel.apparmor_restrict_unprivileged_userns=0)."
            )
        yield Holder(process, base=base, rootless=user)
    finally:
        piped(process.stdin).close()
        await process.wait()
