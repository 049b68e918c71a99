"""What tests of the node hold in their hands: a node over a fake cluster, and pods for it."""

import asyncio
import textwrap
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from healer.lab.contract import Object
from healer.lab.node.node import ProcessNode
from tests.fakes.cluster import FakeCluster

SERVER = """
import http.server, os, pathlib, signal, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        sick = pathlib.Path("/state", self.path.strip("/")).exists()
        self.send_response(503 if sick else 200)
        self.end_headers()
        self.wfile.write(b"hello")
    def log_message(self, *a): pass
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
host, port = sys.argv[1:]
server = http.server.HTTPServer((host, int(port)), Answer)
print("serving", flush=True)
server.serve_forever()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """What a test of the node holds in its hands."""

    cluster: FakeCluster
    node: ProcessNode

    def run(self, name: str = "web", /, **parts: Any) -> Object:
        """Create a pod; `parts` go into its container, but for those of the pod's own spec."""
        return self.cluster.create("pods", pod(name, **parts))

    def status(self, name: str = "web") -> Object:
        """The pod's status, or {}."""
        found: Object = self.cluster.get("pods", "test", name) or {}
        status: Object = found.get("status", {})
        return status

    def container(self, name: str = "web") -> Object:
        """The status of the pod's container, or {}."""
        found: list[Object] = self.status(name).get("containerStatuses") or [{}]
        return found[0]

    async def ready(self, name: str = "web") -> None:
        """Wait until the pod is ready."""
        await self.cluster.until(lambda: self.container(name).get("ready"))

    async def running(self, name: str = "web") -> None:
        """Wait until the pod's container runs."""
        await self.cluster.until(lambda: "running" in self.container(name).get("state", {}))

    async def ended(self, name: str = "web") -> Object:
        """Wait until the pod has come to an end of its own; how its container ended."""
        await self.cluster.until(lambda: self.status(name).get("phase") in {"Succeeded", "Failed"})
        found: Object = self.container(name)["state"]["terminated"]
        return found

    def delete(self, name: str = "web", *, grace: int = 5) -> None:
        """Mark the pod as deleted, as an API server does."""

        def mark(pod: Object) -> None:
            pod["metadata"]["deletionTimestamp"] = "2030-01-01T00:00:00Z"
            pod["metadata"]["deletionGracePeriodSeconds"] = grace

        self.cluster.update("pods", "test", name, mark)

    async def gone(self, name: str = "web") -> None:
        """Wait until the pod is no more."""
        await self.cluster.until(lambda: self.cluster.get("pods", "test", name) is None)

    def claim(self, name: str, size: str) -> None:
        """Create a claim."""
        spec = {
            "accessModes": ["ReadWriteMany"],
            "resources": {"requests": {"storage": size}},
        }
        self.create("persistentvolumeclaims", name, spec=spec)

    def create(self, resource: str, name: str, **fields: Any) -> None:
        """Create any object in the pods' namespace."""
        self.cluster.create(resource, {"metadata": {"name": name, "namespace": "test"}, **fields})

    async def sh(self, script: str, *, name: str = "web") -> tuple[int, str]:
        """Run a script in the pod; its exit code and all it wrote."""
        process = await self.node.exec("test", name, ["sh", "-c", script])
        written = [data async for _, data in process.output()]
        return await process.wait(), b"".join(written).decode()

    async def repeated(self, script: str, *, name: str = "web") -> AsyncIterator[str]:
        """What a script writes, again and again for a while."""
        async with asyncio.timeout(10):
            while True:
                yield (await self.sh(script, name=name))[1]

    async def logged(self, text: str, *, name: str = "web") -> None:
        """Wait until the container has written that."""
        async with asyncio.timeout(10):
            while text not in await self.log(name):  # noqa: ASYNC110 a file has no events
                await asyncio.sleep(0.02)

    async def log(self, name: str = "web") -> str:
        """What the container wrote."""
        return (await self.node.logs("test", name)).decode()


POD_FIELDS = {"volumes", "restartPolicy", "initContainers", "terminationGracePeriodSeconds"}


def pod(name: str, **parts: Any) -> Object:
    """A pod that serves HTTP on port 8000 of its address, unless told otherwise."""
    of_pod = {key: parts.pop(key) for key in POD_FIELDS & parts.keys()}
    container: Object = {"name": "main", "image": "server", "args": ["$(POD_IP)", "8000"]} | parts
    env = [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]
    container["env"] = env + container.get("env", [])
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "test"},
        "spec": {"nodeName": "lab-1", "containers": [container], **of_pod},
    }


def shell(script: str, **parts: Any) -> dict[str, Any]:
    """The parts of a pod that runs a script once."""
    return {"image": "shell", "args": [textwrap.dedent(script)], "restartPolicy": "Never", **parts}


Start = Callable[..., AbstractAsyncContextManager[Lab]]


def mounted(path: str, **source: Any) -> dict[str, Any]:
    """The parts of a pod that has one volume at a path."""
    part = source.pop("subPath", "")
    mount = {"name": "volume", "mountPath": path} | ({"subPath": part} if part else {})
    return {"volumes": [{"name": "volume", **source}], "volumeMounts": [mount]}


def on_claim(name: str, path: str = "/mnt/ssd", **more: Any) -> dict[str, Any]:
    """The parts of a pod that mounts a claim."""
    return mounted(path, persistentVolumeClaim={"claimName": name}, **more)
