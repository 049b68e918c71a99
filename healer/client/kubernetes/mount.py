"""What is mounted at a path of a container, as its kernel tells it.

The volume itself is not touched, so that one which hangs cannot make the question hang.
"""

from dataclasses import dataclass
from datetime import timedelta

from healer.client.kubernetes.container import Pod
from healer.client.kubernetes.pod import Pods
from healer.errors import UnavailableError

TABLE = ("cat", "/proc/self/mounts")
PATIENCE = timedelta(seconds=10)
_ESCAPES = {"\\040": " ", "\\011": "\t", "\\012": "\n", "\\134": "\\"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One line of the table. `source` is a device, a share or a kind of memory."""

    source: str
    path: str
    kind: str
    options: tuple[str, ...]

    @property
    def read_only(self) -> bool:
        """Does the kernel refuse to write, whoever asked for that?"""
        return "ro" in self.options


async def mount_of(pods: Pods, namespace: str, pod: Pod, path: str) -> Mount | None:
    """What lies at exactly that path in its main container; None where nothing is mounted there."""
    done = await pods.exec(namespace, pod, command=TABLE, timeout=PATIENCE)
    if done.exit_code != 0 or done.cut:
        why = done.stderr.strip() or f"exit code {done.exit_code}"
        message = f"the mounts of pod {namespace}/{pod.name} cannot be read: {why}"
        raise UnavailableError(message)
    return parse_mounts(done.stdout).get(path.rstrip("/") or "/")


def parse_mounts(table: str) -> dict[str, Mount]:
    """By path, as in proc(5); of several over each other the last, which is the one seen."""
    found: dict[str, Mount] = {}
    for line in table.splitlines():
        fields = [_plain(field) for field in line.split(" ")]
        if len(fields) >= 4:
            source, path, kind, options = fields[:4]
            found[path] = Mount(
                source=source, path=path, kind=kind, options=tuple(options.split(","))
            )
    return found


def _plain(field: str) -> str:
    for escape, char in _ESCAPES.items():
        field = field.replace(escape, char)
    return field
