"""The claims of the lab made real: each a file system of exactly its size that outlives pods."""

from healer.lab.contract import Cluster, Object
from healer.lab.node.environment import UnresolvedError
from healer.lab.node.field import mapping, quantity, text
from healer.lab.node.holder import Holder, HolderError


class Claims:
    """Provisions PersistentVolumeClaims, and grows them under the feet of running pods."""

    def __init__(self, cluster: Cluster, holder: Holder) -> None:
        self._cluster = cluster
        self._holder = holder
        self._sizes: dict[tuple[str, str], tuple[str, int]] = {}

    def path(self, namespace: str, name: str) -> str:
        """Where the claim's volume lies, relative to the holder's base."""
        return f"claims/{namespace}/{name}"

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
            except HolderError as error:
                self._cluster.record(
                    claim, kind="Warning", reason="VolumeResizeFailed", message=str(error)
                )

    async def _follow(self, claim: Object) -> None:
        key = (text(claim, "metadata", "namespace"), text(claim, "metadata", "name"))
        uid = text(claim, "metadata", "uid")
        wanted = quantity(text(claim, "spec", "resources", "requests", "storage"))
        known = self._sizes.get(key)
        if known is not None and known[0] != uid:
            await self._drop(claim)
            known = None
        if known is None:
            self._sizes[key] = (uid, wanted)  # first: two pods may ask at the same time
            await self._holder.mount(self.path(*key), size=wanted)
            self._say(claim, "ProvisioningSucceeded", f"Successfully provisioned pvc-{uid}")
        elif wanted > known[1]:
            await self._holder.resize(self.path(*key), size=wanted)
            self._sizes[key] = (uid, wanted)
            self._say(claim, "FileSystemResizeSuccessful", "Volume expanded while in use")
        self._publish(claim)

    async def _drop(self, claim: Object) -> None:
        key = (text(claim, "metadata", "namespace"), text(claim, "metadata", "name"))
        if self._sizes.pop(key, None) is not None:
            await self._holder.unmount(self.path(*key))

    def _say(self, claim: Object, reason: str, message: str) -> None:
        self._cluster.record(claim, kind="Normal", reason=reason, message=message)

    def _publish(self, claim: Object) -> None:
        name, namespace = text(claim, "metadata", "name"), text(claim, "metadata", "namespace")

        def bind(stored: Object) -> None:
            uid = text(stored, "metadata", "uid")
            if uid != text(claim, "metadata", "uid"):
                return
            stored["spec"].setdefault("volumeName", f"pvc-{uid}")
            stored["status"] = mapping(stored, "status") | {
                "phase": "Bound",
                "accessModes": stored["spec"].get("accessModes", []),
                "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
            }

        self._cluster.update("persistentvolumeclaims", namespace, name, bind)
