"""What is lost that a service needs: the model on the volume, a GPU, the node (INC-003)."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path

from healer.errors import PermanentError
from healer.lab.contract import Object
from healer.lab.fault.contract import Say
from healer.lab.fault.release import delete_pods, nobody_ready
from healer.lab.remote import Remote
from healer.lab.site import SITES, Site

HAND = "lab-hand"
READY_WITHIN = 30.0
DRIVER = "libnvidia-ml.so.1"
GPU = "nvidia.com/gpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLost:
    """Somebody moves the model away, and all pods must start anew."""

    name: str = "model-lost"
    service: str = "largeforge"
    lasts: bool = True

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[None]:
        """By a pod of its own with the same volume, which also puts the model back in the end."""
        site = SITES[self.service]
        await _hand(remote, site)
        try:
            # At once, so that no server is left that could notice and tell of it.
            await delete_pods(remote, site, grace=0)
            await _move(remote, site, "/volume/models/default", "/volume/models/.lost")
            say(f"All pods of {site.name} must start anew, and their model is moved away.")
            try:
                await nobody_ready(remote, site)
                yield
            finally:
                await _move(remote, site, "/volume/models/.lost", "/volume/models/default")
                say("The model is there again.")
        finally:
            await remote.delete("pods", site.namespace, HAND)


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuLost:
    """The library of the GPU's driver is gone from the node, and all pods must start anew."""

    name: str = "gpu-lost"
    service: str = "largeforge"
    lasts: bool = True

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[None]:
        """In the end it is there again."""
        site, driver = SITES[self.service], Path(remote.state.folder) / "gpu" / DRIVER
        if not driver.exists():
            message = "the lab's node has no GPU that could be lost (it needs a C compiler)"
            raise PermanentError(message)
        aside = driver.rename(driver.with_suffix(".lost"))
        try:
            await _gpus(remote, present=False)
            say("The driver is gone; the node has no GPU any more.")
            await delete_pods(remote, site)
            await nobody_ready(remote, site)
            yield
        finally:
            aside.rename(driver)
            await _gpus(remote, present=True)
            say("The node has its GPUs again.")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLost:
    """The only node loses the folder in which containers log: it can start none, and says so."""

    name: str = "node-lost"
    service: str = "largeforge"
    lasts: bool = True

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[None]:
        """Returns when the node is not ready, and with it no pod. In the end all is as before."""
        site = SITES[self.service]
        lab = Path(remote.state.folder)
        found = sorted(lab.glob("healer-lab-*/logs"))  # noqa: ASYNC240 one name, once
        if not found:
            message = "the lab's node has no folder for logs that could be lost"
            raise PermanentError(message)
        aside = found[0].rename(found[0].with_name("logs.lost"))
        try:
            await _nodes(remote, ready=False)
            say("The node has lost the folder for the logs of containers, and is not ready.")
            await nobody_ready(remote, site)
            yield
        finally:
            aside.rename(found[0])
            await _nodes(remote, ready=True)
            say("The node is ready again.")


async def _hand(remote: Remote, site: Site) -> None:
    """A pod that only holds the volume; no label makes it one of the service."""
    source = {"persistentVolumeClaim": {"claimName": site.claim}}
    container: Object = {
        "name": "hand",
        "image": "inference",
        "command": ["sleep", "900"],
        "volumeMounts": [{"name": "volume", "mountPath": "/volume"}],
    }
    spec: Object = {"containers": [container], "volumes": [{"name": "volume", **source}]}
    spec["terminationGracePeriodSeconds"] = 0
    pod: Object = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": HAND}, "spec": spec}
    await remote.create("pods", pod, namespace=site.namespace)
    await _running(remote, site)


async def _running(remote: Remote, site: Site) -> None:
    try:
        async with asyncio.timeout(READY_WITHIN):
            phase = ""
            while phase != "Running":
                await asyncio.sleep(0.2)
                found = await remote.object("pods", HAND, namespace=site.namespace)
                phase = str(found.get("status", {}).get("phase", ""))
    except TimeoutError:
        message = f"{site.namespace}/{HAND} does not run after {READY_WITHIN:g} s"
        raise PermanentError(message) from None


async def _move(remote: Remote, site: Site, source: str, target: str) -> None:
    ran = await remote.run_in(site.namespace, HAND, ["mv", "-T", source, target])
    if ran.code != 0:
        message = f"{source} could not be moved to {target}: {ran.output.strip()}"
        raise PermanentError(message)


async def _gpus(remote: Remote, *, present: bool) -> None:
    def told(node: Object) -> bool:
        return bool(node["status"]["allocatable"].get(GPU, "0") != "0")

    await _noticed(remote, told, wanted=present)


async def _nodes(remote: Remote, *, ready: bool) -> None:
    def told(node: Object) -> bool:
        return any(
            one["type"] == "Ready" and one["status"] == "True"
            for one in node["status"]["conditions"]
        )

    await _noticed(remote, told, wanted=ready)


async def _noticed(remote: Remote, told: Callable[[Object], bool], *, wanted: bool) -> None:
    """Wait until the node itself tells so."""
    try:
        async with asyncio.timeout(READY_WITHIN):
            while any(map(told, await remote.objects("nodes", ""))) != wanted:  # noqa: ASYNC110 asked over HTTP
                await asyncio.sleep(0.2)
    except TimeoutError:
        message = f"the node did not notice it within {READY_WITHIN:g} s"
        raise PermanentError(message) from None
