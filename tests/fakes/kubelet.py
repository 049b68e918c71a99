"""A `Node` with state for tests of the API: logs and commands are what the test put there."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from healer.lab.contract import Cluster, Object

Piece = tuple[Literal[1, 2], bytes]


@dataclass(slots=True, kw_only=True)
class FakeProcess:
    """A command: writes its pieces, echoes its stdin if it is `cat`, ends with its code."""

    command: Sequence[str]
    pieces: Sequence[Piece] = ()
    code: int = 0
    stdin: bytes = b""
    awaits: int = 0
    """How much of its stdin it reads before it says anything."""
    killed: bool = False
    _closed: asyncio.Event = field(default_factory=asyncio.Event)
    _fed: asyncio.Event = field(default_factory=asyncio.Event)

    async def write(self, data: bytes) -> None:
        """Feed its stdin; b'' closes it."""
        self.stdin += data
        if not data:
            self._closed.set()
        if len(self.stdin) >= self.awaits:
            self._fed.set()

    async def output(self) -> AsyncIterator[Piece]:
        """What it says."""
        if self.awaits:
            await self._fed.wait()
        for piece in self.pieces:
            yield piece
        if self.command[:1] == ["cat"]:
            await self._closed.wait()
            yield (1, self.stdin)
        if self.command[:1] == ["sleep"]:
            await self._closed.wait()
            await asyncio.Event().wait()

    async def wait(self) -> int:
        """Its exit code."""
        return self.code

    async def kill(self) -> None:
        """End it."""
        self.killed = True


@dataclass(slots=True, kw_only=True)
class FakeNode:
    """Answers for pods that a test says are running."""

    written: dict[tuple[str, bool], bytes] = field(default_factory=dict[tuple[str, bool], bytes])
    answers: dict[str, tuple[Sequence[Piece], int]] = field(
        default_factory=dict[str, tuple[Sequence[Piece], int]]
    )
    otherwise: tuple[Sequence[Piece], int] = ((), 0)
    """How commands answer of which the test said nothing."""
    awaits: int = 0
    started: list[FakeProcess] = field(default_factory=list[FakeProcess])

    async def logs(
        self, namespace: str, pod: str, *, previous: bool = False, tail: int | None = None
    ) -> bytes:
        """What the test wrote down for the pod."""
        data = self.written[pod, previous]
        lines = data.splitlines(keepends=True)
        return data if tail is None else b"".join(lines[-tail:] if tail else [])

    async def exec(self, namespace: str, pod: str, command: Sequence[str]) -> FakeProcess:
        """A command that answers as the test said."""
        if (pod, False) not in self.written:
            raise LookupError(f"container of {pod} is not running")
        pieces, code = self.answers.get(" ".join(command), self.otherwise)
        process = FakeProcess(command=list(command), pieces=pieces, code=code, awaits=self.awaits)
        self.started.append(process)
        return process


def make_ready(pod: Object, *, address: str = "127.0.0.1", now: str) -> None:
    """Write into a pod what a kubelet writes once it serves."""
    names = [one["name"] for one in pod["spec"]["containers"]]
    ready = [{"name": name, "ready": True, "restartCount": 0} for name in names]
    kinds = ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    pod["status"] = pod.get("status", {}) | {
        "phase": "Running",
        "podIP": address,
        "containerStatuses": [one | {"state": {"running": {"startedAt": now}}} for one in ready],
        "conditions": [
            {"type": kind, "status": "True", "lastTransitionTime": now} for kind in kinds
        ],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubelet:
    """Brings bound pods up and terminating ones to their end, at once; has one Node object."""

    cluster: Cluster
    now: Callable[[], str]
    sick: Callable[[Object], bool] = lambda _: False
    node: FakeNode = field(default_factory=FakeNode)

    async def run(self) -> None:
        """For ever."""
        self.cluster.create("nodes", node_object())
        async for change in self.cluster.watch("pods"):
            if change.type != "DELETED":
                self._follow(change.object)

    def _follow(self, pod: Object) -> None:
        meta = pod["metadata"]
        key = ("pods", meta["namespace"], meta["name"])
        if "deletionTimestamp" in meta:
            self.cluster.delete(*key)
        elif pod["spec"].get("nodeName") and pod["status"].get("phase") == "Pending":
            self.node.written[meta["name"], False] = b"hello\nworld\n"
            if not self.sick(pod):
                self.cluster.update(*key, lambda it: make_ready(it, now=self.now()))


def node_object(name: str = "lab-1", **capacity: str) -> Object:
    """A ready node."""
    room = {"cpu": "8", "memory": "64Gi", "pods": "110"} | capacity
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": {},
        "status": {"capacity": room, "allocatable": room, "conditions": [ready]},
    }
