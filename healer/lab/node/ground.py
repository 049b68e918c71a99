"""What all pods of the node stand on: the settings of the node and the things they share."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from healer.lab.contract import Cluster, Object
from healer.lab.gpu.build import Gpus
from healer.lab.node.address import AddressPool
from healer.lab.node.claim import Claims
from healer.lab.node.environment import Lookup
from healer.lab.node.holder import Holder
from healer.lab.node.memory import MemoryTree


def plain_environment() -> dict[str, str]:
    """What an image brings along: a PATH that finds this Python first, and a locale."""
    here = str(Path(sys.executable).parent)
    return {"PATH": f"{here}{os.pathsep}{os.defpath}", "LANG": "C.UTF-8", "HOME": "/tmp"}  # noqa: S108 a container's home


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the node behaves; delays are in seconds, sizes in bytes."""

    images: Mapping[str, Sequence[str]]
    """What each image's entrypoint is; an image that is not here cannot be pulled."""
    environment: Mapping[str, str] = field(default_factory=plain_environment)
    folder: str = field(default_factory=os.getcwd)
    """Where programs start unless their container names a folder."""
    restart_delay: float = 10.0
    restart_limit: float = 300.0
    restart_forgotten: float = 600.0
    """A container that ran this long starts anew with the shortest delay."""
    retry_delay: float = 1.0
    """How soon a missing volume, ConfigMap or image is looked for again."""
    heartbeat: float = 10.0
    log_limit: int = 8 * 1024**2
    gpus: Gpus | None = None
    """None: a node without GPUs, and pods that ask for one wait for another node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What the pods of one running node share."""

    cluster: Cluster
    settings: Settings
    holder: Holder
    claims: Claims
    addresses: AddressPool
    memory: MemoryTree
    logs: Path

    def look(self, namespace: str) -> Lookup:
        """Finds ConfigMaps and Secrets of a namespace."""

        def find(resource: str, name: str) -> Object | None:
            return self.cluster.get(resource, namespace, name)

        return find

    def entrypoint(self, image: str) -> Sequence[str] | None:
        """The argv prefix of an image; `inference` and `inference:latest` are the same."""
        images = self.settings.images
        return images.get(image, images.get(image.removesuffix(":latest")))
