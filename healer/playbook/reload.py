"""The playbooks in force: read anew when their files change, and kept when the new ones are bad."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from healer.errors import Fault
from healer.kit.clock import Clock
from healer.model.playbook import Playbook
from healer.playbook.fit import Services
from healer.playbook.loader import Loaded, find_files, load
from healer.playbook.vocabulary import Vocabulary

EVERY = timedelta(seconds=5)


class PlaybookSet:
    """The last good set, and every version that was ever in force, for incidents that follow it.

    At the start the good files of a partly bad set are used: nothing better is known. Later a
    bad file changes nothing at all, for what was in force before is known to be good.
    """

    def __init__(
        self, paths: Sequence[Path], vocabulary: Vocabulary, services: Services | None = None
    ) -> None:
        self._paths = tuple(paths)
        self._services = services
        self._vocabulary = vocabulary
        self._seen = ""
        self._versions: dict[tuple[str, str], Playbook] = {}
        self.current: tuple[Playbook, ...] = ()
        self.faults: tuple[Fault, ...] = ()
        self._begin()

    def find(self, name: str, digest: str) -> Playbook | None:
        """A version of a playbook, in force or not; None where this process never saw it."""
        return self._versions.get((name, digest))

    def reload(self) -> tuple[Fault, ...]:
        """Read all files again. With any fault the present set stays; the faults are returned."""
        return self._take(*self._read())

    async def watch(
        self,
        clock: Clock,
        told: Callable[[tuple[Fault, ...]], None],
        *,
        every: timedelta = EVERY,
    ) -> None:
        """For ever: reload when the content of any file changed, and tell what came of it.

        Content, not times: a mounted ConfigMap swaps a link, and a copy may keep its times. Files
        are read in a thread, for they may lie on a slow disk.
        """
        while True:
            await clock.sleep(every)
            if await asyncio.to_thread(self._changed):
                told(self._take(*await asyncio.to_thread(self._read)))

    def _begin(self) -> None:
        loaded, self._seen = self._read()
        self.faults = loaded.faults
        self._use(loaded.playbooks)

    def _read(self) -> tuple[Loaded, str]:
        seen = self._content()  # before loading: what is written meanwhile is seen next time
        return load(self._paths, self._vocabulary, self._services), seen

    def _take(self, loaded: Loaded, seen: str) -> tuple[Fault, ...]:
        self._seen = seen
        self.faults = loaded.faults
        if not loaded.faults:
            self._use(loaded.playbooks)
        return loaded.faults

    def _use(self, playbooks: tuple[Playbook, ...]) -> None:
        self.current = playbooks
        self._versions.update({(one.name, one.digest): one for one in playbooks})

    def _changed(self) -> bool:
        return self._content() != self._seen

    def _content(self) -> str:
        digest = hashlib.sha256()
        for path in find_files(self._paths):
            digest.update(f"{path}\0".encode(errors="surrogateescape"))
            digest.update(_bytes(path))
        return digest.hexdigest()


def _bytes(path: Path) -> bytes:
    try:
        return hashlib.sha256(path.read_bytes()).digest() if path.is_file() else b"-"
    except OSError as error:
        return str(error.errno).encode()
