"""The Node object: what the machine has, that the node is alive, and whether it can run pods."""

import asyncio
import os
import platform
from collections.abc import Callable
from functools import partial

from healer.lab.contract import Object
from healer.lab.gpu.build import RESOURCE
from healer.lab.node.field import entries, mapping
from healer.lab.node.ground import Ground
from healer.lab.node.status import now

NO_LOGS = "container runtime is down: the folder for the logs of containers is gone"
PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")


class Heartbeat:
    """Keeps the Node object true for as long as it runs."""

    def __init__(self, ground: Ground, *, name: str, recovered: Callable[[], None]) -> None:
        self._ground = ground
        self._name = name
        self._recovered = recovered

    async def run(self) -> None:
        """Make the object if need be, then beat for ever.

        Without a place for the logs of containers none can be started, and the node is not ready.
        Once it is again, `recovered` is called: others have written meanwhile that no pod is.
        """
        well = True
        cluster = self._ground.cluster
        if cluster.get("nodes", "", self._name) is None:
            cluster.create("nodes", node(self._name))
        while True:
            gpus = self._ground.settings.gpus
            found = None if gpus is None else gpus.present
            before, lacks = well, "" if self._ground.logs.is_dir() else NO_LOGS
            well = not lacks
            cluster.update("nodes", "", self._name, partial(beat, gpus=found, lacks=lacks))
            if well and not before:
                self._recovered()
            await asyncio.sleep(self._ground.settings.heartbeat)


def node(name: str) -> Object:
    """A new Node object."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": {"x86_64": "amd64", "aarch64": "arm64"}.get(
                    platform.machine(), platform.machine()
                ),
            },
        },
        "spec": {},
    }


def beat(stored: Object, gpus: int | None = None, lacks: str = "") -> None:
    """Write capacity, addresses and conditions; transition times stay while nothing changes.

    A node that has lost its GPUs says that it has 0; one that never had any says nothing of them.
    `lacks` says why it can run no pods; '' where it can.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    capacity = {"cpu": str(os.cpu_count() or 1), "memory": f"{memory // 1024}Ki", "pods": "110"}
    if gpus is not None:
        capacity[RESOURCE] = str(gpus)
    old = {item["type"]: item for item in entries(stored, "status", "conditions")}
    conditions = [
        _condition("Ready", "False", "KubeletNotReady", old, lacks)
        if lacks
        else _condition("Ready", "True", "KubeletReady", old),
        *(_condition(name, "False", f"KubeletHasNo{name}", old) for name in PRESSURES),
    ]
    stored["status"] = mapping(stored, "status") | {
        "capacity": capacity,
        "allocatable": capacity,
        "addresses": [
            {"type": "InternalIP", "address": "127.0.0.1"},
            {"type": "Hostname", "address": stored["metadata"]["name"]},
        ],
        "conditions": conditions,
        "nodeInfo": {
            "kernelVersion": platform.release(),
            "operatingSystem": "linux",
            "architecture": platform.machine(),
            "osImage": "healer lab",
            "kubeletVersion": "v1.36.0",
        },
    }


def _condition(
    name: str, status: str, reason: str, old: dict[str, Object], message: str = ""
) -> Object:
    before = old.get(name, {})
    same = before.get("status") == status
    return {
        "type": name,
        "status": status,
        "reason": reason,
        "message": message,
        "lastHeartbeatTime": now(),
        "lastTransitionTime": before["lastTransitionTime"] if same else now(),
    }
