"""The claims of the lab made real: each a file system of exactly its size that outlives pods."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from healer.lab.contract import Cluster, Object
from healer.lab.node.environment import UnresolvedError
from healer.lab.node.field import mapping, quantity, text
from healer.lab.node.holder import Holder, HolderError


@dataclass(frozen=True, slots=True, kw_only=True)
class _Volume:
    """What is mounted for a claim: of which claim, in bytes, and as the claim wrote it."""

    uid: str
    size: int
    storage: str


class Claims:
    """Provisions PersistentVolumeClaims, and grows them under the feet of running pods."""

    def __init__(self, cluster: Cluster, holder: Holder) -> None:
        self._cluster = cluster
        self._holder = holder
        self._sizes: dict[tuple[str, str], _Volume] = {}
        self._turn = asyncio.Lock()

    def path(self, namespace: str, name: str) -> str:
        """Where the claim's volume lies, relative to the holder's base."""
        return f"claims/{namespace}/{name}"

    def outside(self, namespace: str, name: str) -> Path | None:
        """The volume as the lab's own process reaches it; None if there is none yet."""
        found = self._holder.outside / self.path(namespace, name)
        return found if (namespace, name) in self._sizes else None

    async def require(self, namespace: str, name: str) -> None:
        """The volume is there when this returns; UnresolvedError if there is no such claim."""
        claim = self._cluster.get("persistentvolumeclaims", namespace, name)
        if claim is None:
            raise UnresolvedError(f'persistentvolumeclaim "{name}" not found')
        await self._follow(claim)

    async def run(self) -> None:
        """Follow all claims for ever."""
        async for change in self._cluster.watch("persistentvolumeclaims"):
            claim = change.object
            if change.type == "DELETED":
                await self._drop(claim)
                continue
            try:
                await self._follow(claim)
            except (HolderError, ValueError) as error:
                self._cluster.record(
                    claim, kind="Warning", reason="VolumeResizeFailed", message=str(error)
                )

    async def _follow(self, claim: Object) -> None:
        async with self._turn:  # two pods and the watch may ask at the same time
            await self._provide(claim)
        self._publish(claim)

    async def _provide(self, claim: Object) -> None:
        key = (text(claim, "metadata", "namespace"), text(claim, "metadata", "name"))
        uid = text(claim, "metadata", "uid")
        storage = text(claim, "spec", "resources", "requests", "storage")
        wanted, known = quantity(storage), self._sizes.get(key)
        if known is not None and known.uid != uid:
            await self._drop(claim)
            known = None
        if known is None:
            await self._holder.mount(self.path(*key), size=wanted)
            self._sizes[key] = _Volume(uid=uid, size=wanted, storage=storage)
            self._say(claim, "ProvisioningSucceeded", f"Successfully provisioned pvc-{uid}")
        elif wanted > known.size:
            await self._holder.resize(self.path(*key), size=wanted)
            self._sizes[key] = _Volume(uid=uid, size=wanted, storage=storage)
            self._say(claim, "FileSystemResizeSuccessful", "Volume expanded while in use")

    async def _drop(self, claim: Object) -> None:
        key = (text(claim, "metadata", "namespace"), text(claim, "metadata", "name"))
        if self._sizes.pop(key, None) is not None:
            await self._holder.unmount(self.path(*key))

    def _say(self, claim: Object, reason: str, message: str) -> None:
        self._cluster.record(claim, kind="Normal", reason=reason, message=message)

    def _publish(self, claim: Object) -> None:
        name, namespace = text(claim, "metadata", "name"), text(claim, "metadata", "namespace")
        volume = self._sizes[namespace, name]

        def bind(stored: Object) -> None:
            uid = text(stored, "metadata", "uid")
            if uid != volume.uid:
                return
            stored["spec"].setdefault("volumeName", f"pvc-{uid}")
            stored["status"] = mapping(stored, "status") | {
                "phase": "Bound",
                "accessModes": stored["spec"].get("accessModes", []),
                "capacity": {"storage": volume.storage},
            }

        self._cluster.update("persistentvolumeclaims", namespace, name, bind)
