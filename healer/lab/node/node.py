"""The node of the lab: watches the pods bound to it and makes them real."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path

from healer.lab.contract import Change, Cluster, Object, Process
from healer.lab.node import memory
from healer.lab.node.address import AddressPool
from healer.lab.node.claim import Claims
from healer.lab.node.field import mapping, text
from healer.lab.node.ground import Ground, Settings
from healer.lab.node.heartbeat import Heartbeat
from healer.lab.node.holder import holding
from healer.lab.node.pod import PodWorker


class ProcessNode:
    """A node whose pods are processes. Give it to the API as the contract's `Node`."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        settings: Settings,
        folder: Path | None = None,
        name: str = "lab-1",
        addresses: AddressPool | None = None,
        rootless: bool | None = None,
    ) -> None:
        self.name = name
        self.addresses = addresses or AddressPool()
        self._cluster = cluster
        self._settings = settings
        self._folder = folder
        self._rootless = rootless
        self._pods: dict[tuple[str, str], PodWorker] = {}
        self._ground: Ground | None = None

    async def run(self) -> None:
        """Be the node, until cancelled; then end all pods at once."""
        async with self._prepared() as ground, asyncio.TaskGroup() as group:
            beats = Heartbeat(ground, name=self.name, recovered=self._speak)
            group.create_task(beats.run())
            group.create_task(ground.claims.run())
            group.create_task(self._bound_logs())
            for resource in ("configmaps", "secrets"):
                group.create_task(self._refresh(resource))
            async for change in self._cluster.watch("pods"):
                self._follow(change, lambda pod: self._start(pod, ground, group))

    async def logs(
        self, namespace: str, pod: str, *, previous: bool = False, tail: int | None = None
    ) -> bytes:
        """What the container wrote, of this life or of the one before; LookupError if none."""
        return self._find(namespace, pod).main.read_log(previous=previous, tail=tail)

    async def exec(self, namespace: str, pod: str, command: Sequence[str]) -> Process:
        """Start a command where the container lives (its mounts); LookupError if not running."""
        return await self._find(namespace, pod).main.enter(command)

    @property
    def has_gpus(self) -> bool:
        """Whether pods that ask for a GPU can get one."""
        gpus = self._settings.gpus
        return gpus is not None and gpus.present > 0

    def volume(self, namespace: str, claim: str) -> Path:
        """The volume of a claim as this process reaches it: to fill it, or to break it.

        LookupError while the node does not run or has not made the volume yet.
        """
        ground = self._ground
        found = None if ground is None else ground.claims.outside(namespace, claim)
        if found is None:
            raise LookupError(f'claim "{claim}" of namespace {namespace} has no volume yet')
        return found

    # ------------------------------------------------------------------------------------- pods

    def _follow(self, change: Change, start: Callable[[Object], PodWorker]) -> None:
        pod = change.object
        key = (text(pod, "metadata", "namespace"), text(pod, "metadata", "name"))
        worker = self._pods.get(key)
        if worker is not None and worker.uid != text(pod, "metadata", "uid"):
            worker.end(0.0)
            worker = None
        if change.type == "DELETED":
            if worker is not None:
                worker.end(0.0)
            return
        if text(pod, "spec", "nodeName") != self.name:
            return
        if worker is None:
            stored = self._cluster.get("pods", *key)
            if stored is None or stored["metadata"]["uid"] != text(pod, "metadata", "uid"):
                return  # an old line of the watch: the pod is gone by now
            worker = self._pods[key] = start(pod)
        if "deletionTimestamp" in mapping(pod, "metadata"):
            worker.end(float(pod["metadata"].get("deletionGracePeriodSeconds", 30)))

    def _start(self, pod: Object, ground: Ground, group: asyncio.TaskGroup) -> PodWorker:
        worker = PodWorker(pod, ground=ground)
        group.create_task(self._run(worker))
        return worker

    def _speak(self) -> None:
        for worker in tuple(self._pods.values()):
            worker.speak()

    async def _run(self, worker: PodWorker) -> None:
        await worker.run()
        if self._pods.get(worker.key) is worker:
            del self._pods[worker.key]

    def _find(self, namespace: str, pod: str) -> PodWorker:
        worker = self._pods.get((namespace, pod))
        if worker is None:
            raise LookupError(f'pod "{pod}" of namespace {namespace} is not on node {self.name}')
        return worker

    # ----------------------------------------------------------------------------- its surroundings

    async def _refresh(self, resource: str) -> None:
        async for change in self._cluster.watch(resource):
            namespace = text(change.object, "metadata", "namespace")
            for key, worker in tuple(self._pods.items()):
                if key[0] == namespace:
                    worker.refresh()

    async def _bound_logs(self) -> None:
        while True:
            await asyncio.sleep(self._settings.heartbeat)
            for worker in tuple(self._pods.values()):
                worker.main.bound_log()

    @contextlib.asynccontextmanager
    async def _prepared(self) -> AsyncGenerator[Ground]:
        tree = memory.find()
        with contextlib.ExitStack() as stack:
            stack.callback(tree.remove)
            made = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="healer-lab-", dir=self._folder)
            )
            folder = Path(made).resolve()  # noqa: ASYNC240 a local folder, before anything runs
            (folder / "logs").mkdir()
            async with holding(folder, rootless=self._rootless, cgroup=tree.folder) as holder:
                try:
                    self._ground = Ground(
                        cluster=self._cluster,
                        settings=self._settings,
                        holder=holder,
                        claims=Claims(self._cluster, holder),
                        addresses=self.addresses,
                        memory=tree,
                        logs=folder / "logs",
                    )
                    yield self._ground
                finally:
                    self._ground = None
