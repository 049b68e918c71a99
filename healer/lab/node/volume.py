"""The volumes of one pod: what its containers find mounted, and files that follow their source."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from healer.lab.contract import Object
from healer.lab.node.claim import Claims
from healer.lab.node.environment import Lookup, UnresolvedError, content
from healer.lab.node.field import entries, mapping, quantity, text
from healer.lab.node.holder import Holder


@dataclass(frozen=True, slots=True, kw_only=True)
class Volumes:
    """Makes, feeds and removes the volumes of one pod."""

    pod: Object
    holder: Holder
    claims: Claims
    look: Lookup

    @property
    def _folder(self) -> str:
        return f"pods/{text(self.pod, 'metadata', 'uid')}"

    async def make(self) -> None:
        """Everything the pod's containers may mount; UnresolvedError while something is missing."""
        for volume in entries(self.pod, "spec", "volumes"):
            if (space := volume.get("emptyDir")) is not None:
                limit = text(space, "sizeLimit")
                size = quantity(limit) if limit else None
                await self.holder.mount(f"{self._folder}/{volume['name']}", size=size)
            elif claim := mapping(volume, "persistentVolumeClaim"):
                namespace = text(self.pod, "metadata", "namespace")
                await self.claims.require(namespace, text(claim, "claimName"))
        self.refresh()

    def refresh(self) -> None:
        """Let ConfigMap and Secret files follow their objects, all keys at once."""
        for volume in entries(self.pod, "spec", "volumes"):
            for field, resource, name in (
                ("configMap", "configmaps", "name"),
                ("secret", "secrets", "secretName"),
            ):
                if source := mapping(volume, field):
                    files = self._files(resource, text(source, name), source)
                    write(self.holder.outside / self._folder / volume["name"], files)

    def mounts(self, container: Object) -> list[dict[str, Any]]:
        """What the launcher is to mount for a container."""
        volumes = {volume["name"]: volume for volume in entries(self.pod, "spec", "volumes")}
        found: list[dict[str, Any]] = []
        for mount in entries(container, "volumeMounts"):
            if mount["name"] not in volumes:
                raise UnresolvedError(f'volumeMount names no volume of the pod: "{mount["name"]}"')
            source, readonly = self._source(volumes[mount["name"]])
            part = text(mount, "subPath")
            found.append(
                {
                    "source": self._part(source, part) if part else source,
                    "target": mount["mountPath"],
                    "readonly": readonly or bool(mount.get("readOnly")),
                }
            )
        return found

    async def remove(self) -> None:
        """Drop all that belongs to this pod alone; claims stay."""
        for volume in entries(self.pod, "spec", "volumes"):
            path = f"{self._folder}/{volume['name']}"
            if "emptyDir" in volume and (self.holder.outside / path).exists():
                await self.holder.unmount(path)
        shutil.rmtree(self.holder.outside / self._folder, ignore_errors=True)

    def _part(self, source: str, part: str) -> str:
        """A subPath; as a folder it is made on first use, where the volume can hold one."""
        found = Path(source) / part
        if found.is_relative_to(self.holder.base):
            outside = self.holder.outside / found.relative_to(self.holder.base)
            if not outside.exists():
                outside.mkdir(parents=True)
        return str(found)

    def _source(self, volume: Object) -> tuple[str, bool]:
        if claim := mapping(volume, "persistentVolumeClaim"):
            namespace = text(self.pod, "metadata", "namespace")
            path = self.claims.path(namespace, text(claim, "claimName"))
            return str(self.holder.base / path), bool(claim.get("readOnly"))
        if host := mapping(volume, "hostPath"):
            return text(host, "path"), True
        inside = str(self.holder.base / self._folder / volume["name"])
        if "emptyDir" in volume:
            return inside, False
        if "configMap" in volume or "secret" in volume:
            return inside, True
        kinds = ", ".join(key for key in volume if key != "name") or "nothing"
        raise UnresolvedError(f'volume "{volume["name"]}" is of a kind the lab lacks: {kinds}')

    def _files(self, resource: str, name: str, source: Object) -> dict[str, bytes]:
        found = self.look(resource, name)
        if found is None:
            if source.get("optional"):
                return {}
            raise UnresolvedError(f'{resource.removesuffix("s")} "{name}" not found')
        kind = "Secret" if resource == "secrets" else "ConfigMap"
        keys = content({"kind": kind, **found})
        if not (items := entries(source, "items")):
            return keys
        return {item["path"]: keys[item["key"]] for item in items if item["key"] in keys}


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """As a kubelet does: a new hidden folder, then one rename, so that no reader sees a mixture."""
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "..data"
    old = folder / link.readlink() if link.is_symlink() else None
    if old is not None and _read(old) == dict(files):
        return
    number = 0 if old is None else int(old.name.removeprefix("..")) + 1
    new = folder / f"..{number}"
    for name, data in files.items():
        (new / name).parent.mkdir(parents=True, exist_ok=True)
        (new / name).write_bytes(data)
    new.mkdir(exist_ok=True)
    fresh = folder / "..data_new"
    fresh.symlink_to(new.name)
    fresh.replace(link)
    wanted = {Path(name).parts[0] for name in files}
    for name in wanted - {entry.name for entry in folder.iterdir()}:
        (folder / name).symlink_to(f"..data/{name}")
    for entry in folder.iterdir():
        if not entry.name.startswith("..") and entry.name not in wanted:
            entry.unlink()
    if old is not None:
        shutil.rmtree(old)


def _read(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
