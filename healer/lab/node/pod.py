"""One pod of the node, from its volumes to its last breath: what a kubelet's pod worker does."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from healer.lab.contract import Object
from healer.lab.node.backoff import Backoff
from healer.lab.node.container import Container, ImageError, containers
from healer.lab.node.environment import UnresolvedError
from healer.lab.node.field import mapping, text
from healer.lab.node.ground import Ground
from healer.lab.node.holder import HolderError
from healer.lab.node.probing import Probing
from healer.lab.node.status import Phase, PodView, now, waiting
from healer.lab.node.voice import Voice
from healer.lab.node.volume import Volumes

Made = TypeVar("Made")


class PodWorker:
    """Makes one pod real. Its first container is run, after all of its init containers."""

    def __init__(self, pod: Object, *, ground: Ground) -> None:
        self.uid = text(pod, "metadata", "uid")
        self.key = (text(pod, "metadata", "namespace"), text(pod, "metadata", "name"))
        self._pod = pod
        self._ground = ground
        self._ending = asyncio.Event()
        self._grace = 0.0
        self._init = containers(pod, "initContainers", ground=ground)
        self.main = containers(pod, "containers", ground=ground)[0]
        self._view = PodView(container=self.main.view, init=[item.view for item in self._init])
        self._voice = Voice(
            cluster=ground.cluster, pod=pod, view=self._view, able=ground.logs.is_dir
        )
        self._volumes = Volumes(
            pod=pod,
            holder=ground.holder,
            claims=ground.claims,
            look=ground.look(text(pod, "metadata", "namespace")),
        )

    def end(self, grace: float) -> None:
        """Let the pod end; of several wishes the shortest grace wins."""
        self._grace = min(grace, self._grace) if self._ending.is_set() else grace
        self._ending.set()

    def refresh(self) -> None:
        """A ConfigMap or Secret has changed: let the files follow, if they are there at all."""
        with contextlib.suppress(UnresolvedError, OSError):
            self._volumes.refresh()

    def speak(self) -> None:
        """Say anew how it does."""
        self._voice.publish()

    async def run(self) -> None:
        """The whole life of the pod, until it is gone from the cluster."""
        try:
            async with asyncio.TaskGroup() as group:
                life = group.create_task(self._live())
                await self._ending.wait()
                life.cancel()
            await self._terminate()
        finally:
            await self._clear()
        self._remove()

    # ------------------------------------------------------------------------------- its life

    async def _live(self) -> None:
        self._view.start = now()
        self._view.address = self._ground.addresses.take()
        self._pod["status"] = mapping(self._pod, "status") | {"podIP": self._view.address}
        self._voice.publish()
        await self._persist(self.main, self._volumes.make)
        if self._init:
            self.main.view.state = waiting("PodInitializing")
        for container in self._init:
            if not await self._initialise(container):
                self._finish("Failed")
                return
        self._view.initialized = True
        await self._keep_running()

    async def _initialise(self, container: Container) -> bool:
        backoff = self._backoff()
        while await self._run_once(container) != 0:
            if text(self._pod, "spec", "restartPolicy") == "Never":
                return False
            await self._back_off(container, backoff.after(0.0))
        container.view.ready = True
        return True

    async def _keep_running(self) -> None:
        backoff, policy = self._backoff(), text(self._pod, "spec", "restartPolicy")
        while True:
            began = time.monotonic()
            code = await self._run_once(self.main)
            if policy == "Never" or (policy == "OnFailure" and code == 0):
                self._finish("Failed" if code else "Succeeded")
                return
            await self._back_off(self.main, backoff.after(time.monotonic() - began))

    async def _run_once(self, container: Container) -> int:
        """One life of a container; its exit status."""
        program = await self._persist(container, lambda: container.start(self._volumes))
        name, image = container.view.name, container.view.image
        self._voice.say("Pulled", f'Container image "{image}" already present on machine')
        self._voice.say("Created", f"Container created: {name}")
        self._voice.say("Started", f"Container started: {name}")
        if container is self.main:
            self._view.phase = "Running"
        self._voice.publish()
        async with asyncio.TaskGroup() as group:
            probing = group.create_task(self._probing(container).run())
            code = await program.wait()
            probing.cancel()
        container.ended(program, code)
        self._voice.publish()
        return code

    def _probing(self, container: Container) -> Probing:
        return Probing(
            container=container,
            address=self._view.address,
            grace=float(self._pod["spec"].get("terminationGracePeriodSeconds", 30)),
            voice=self._voice,
        )

    async def _persist(self, container: Container, act: Callable[[], Awaitable[Made]]) -> Made:
        """Do what cannot be done yet again and again, and say what it waits for."""
        while True:
            try:
                return await act()
            except ImageError as error:
                state, reason, message = "ImagePullBackOff", "Failed", str(error)
            except (UnresolvedError, HolderError, OSError, ValueError, KeyError) as error:
                making = self._view.initialized or container is not self.main
                state = "CreateContainerConfigError" if making else "ContainerCreating"
                reason, message = "Failed" if making else "FailedMount", str(error)
            container.view.state = waiting(state, message)
            self._voice.warn(reason, message)
            self._voice.publish()
            await asyncio.sleep(self._ground.settings.retry_delay)

    async def _back_off(self, container: Container, delay: float) -> None:
        if delay:
            meta, name = self._pod["metadata"], container.view.name
            where = f"{meta['name']}_{meta['namespace']}({meta['uid']})"
            message = f"restarting failed container={name} pod={where}"
            container.view.state = waiting("CrashLoopBackOff", f"back-off {delay:g}s {message}")
            self._voice.warn("BackOff", f"Back-off {message}")
            self._voice.publish()
            await asyncio.sleep(delay)
        container.view.restarts += 1

    def _backoff(self) -> Backoff:
        settings = self._ground.settings
        return Backoff(
            delay=settings.restart_delay,
            limit=settings.restart_limit,
            forgotten=settings.restart_forgotten,
        )

    def _finish(self, phase: Phase) -> None:
        self._view.phase = phase
        self._voice.publish()

    # -------------------------------------------------------------------------------- its end

    async def _terminate(self) -> None:
        running = [
            item for item in (*self._init, self.main) if item.program and item.program.running
        ]
        for container in running:
            self._voice.say("Killing", f"Stopping container {container.view.name}")
            began = time.monotonic()
            await self._before_stop(container)
            await container.terminate(max(0.0, self._grace - (time.monotonic() - began)))

    async def _before_stop(self, container: Container) -> None:
        hook = mapping(container.spec, "lifecycle", "preStop")
        try:
            async with asyncio.timeout(self._grace):
                if command := mapping(hook, "exec").get("command"):
                    await container.run_inside(command)
                elif pause := mapping(hook, "sleep").get("seconds"):
                    await asyncio.sleep(float(pause))
        except (TimeoutError, LookupError):
            self._voice.warn("FailedPreStopHook", "PreStopHook failed")

    async def _clear(self) -> None:
        for container in (*self._init, self.main):
            await container.kill()
        if self._view.address:
            self._ground.addresses.give_back(self._view.address)
        with contextlib.suppress(HolderError):
            await self._volumes.remove()

    def _remove(self) -> None:
        meta = self._pod["metadata"]
        stored = self._ground.cluster.get("pods", meta["namespace"], meta["name"])
        if stored is not None and stored["metadata"]["uid"] == meta["uid"]:
            self._ground.cluster.delete("pods", meta["namespace"], meta["name"])
