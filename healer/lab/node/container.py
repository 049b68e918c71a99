"""One container of a pod: its lives one after the other, its log, and commands inside it."""

import os
from collections.abc import Sequence
from typing import Any

from healer.lab.contract import Object
from healer.lab.gpu.build import RESOURCE
from healer.lab.node.environment import UnresolvedError, environment, expand
from healer.lab.node.field import entries, quantity, text
from healer.lab.node.ground import Ground
from healer.lab.node.log import Log
from healer.lab.node.memory import Memory
from healer.lab.node.program import Program, Recipe, start
from healer.lab.node.session import Session, enter
from healer.lab.node.status import ContainerView, now, running, terminated
from healer.lab.node.volume import Volumes


class ImageError(Exception):
    """The image is not one that this node can pull."""


class Container:
    """Starts a container's program as often as it is told to."""

    def __init__(self, spec: Object, pod: Object, *, ground: Ground) -> None:
        self.spec = spec
        self.view = ContainerView(name=spec["name"], image=text(spec, "image"))
        self.program: Program | None = None
        self._pod = pod
        self._ground = ground
        self._sessions: list[Session] = []
        self._log = Log(
            folder=ground.logs / text(pod, "metadata", "uid") / spec["name"],
            limit=ground.settings.log_limit,
        )

    async def start(self, volumes: Volumes) -> Program:
        """Begin a life; ImageError or UnresolvedError if it cannot begin yet."""
        recipe = self._recipe(volumes)
        log = self._log.open(self.view.restarts)
        try:
            program = await start(recipe, holder=self._ground.holder, log=log)
        finally:
            os.close(log)
        self.program = program
        self.view.identity = f"lab://{program.pid}"
        self.view.state = running(now())
        self.view.started = "startupProbe" not in self.spec
        self.view.ready = self.view.started and "readinessProbe" not in self.spec
        return program

    def ended(self, program: Program, code: int) -> None:
        """The program has ended with that status."""
        self.view.last = self.view.state = terminated(
            code,
            started=text(self.view.state, "running", "startedAt"),
            reason="OOMKilled" if program.out_of_memory else "StartError" * bool(program.problem),
            message=program.problem,
            identity=self.view.identity,
        )
        self.view.ready = self.view.started = False
        self._clear(program)

    async def enter(self, argv: Sequence[str]) -> Session:
        """Start a command in the container; LookupError if it does not run."""
        if self.program is None or not self.program.running:
            raise LookupError(f"container {self.view.name} is not running")
        session = await enter(self.program, argv, holder=self._ground.holder)
        self._sessions = [*(other for other in self._sessions if other.alive), session]
        return session

    async def run_inside(self, argv: Sequence[str]) -> int:
        """Run a command to its end and return its exit code; what it writes is dropped."""
        session = await self.enter(argv)
        try:
            await session.write(b"")
            async for _ in session.output():
                pass
            return await session.wait()
        finally:
            await session.kill()

    async def terminate(self, grace: float) -> None:
        """Ask the program to end; kill it when the time is up."""
        if self.program is not None:
            await self.program.terminate(grace)

    async def kill(self) -> None:
        """End it now, if it runs, and whatever was started inside it."""
        if self.program is not None:
            if self.program.running:
                await self.program.kill()
            self._clear(self.program)

    def read_log(self, *, previous: bool, tail: int | None) -> bytes:
        """What this life wrote, or the one before."""
        life = self.view.restarts
        if previous and not self.view.last:
            raise LookupError(f"previous terminated container {self.view.name} not found")
        return self._log.read(life - 1 if previous else life, tail=tail)

    def bound_log(self) -> None:
        """Keep the log within its size."""
        self._log.bound(self.view.restarts)

    def _clear(self, program: Program) -> None:
        for session in self._sessions:
            session.end()
        self._sessions = []
        program.recipe.memory.remove()

    # ------------------------------------------------------------------------------- the recipe

    def _recipe(self, volumes: Volumes) -> Recipe:
        settings, pod = self._ground.settings, self._pod
        entrypoint = self._ground.entrypoint(self.view.image)
        if entrypoint is None:
            raise ImageError(f'Failed to pull image "{self.view.image}": not found')
        namespace, name = text(pod, "metadata", "namespace"), text(pod, "metadata", "name")
        known = environment(self.spec, pod, self._ground.look(namespace))
        argv: list[str] = [*(self.spec.get("command") or entrypoint)]
        argv += self.spec.get("args") or []
        if not argv:
            raise UnresolvedError(f'image "{self.view.image}" has no entrypoint: give a command')
        mounts = volumes.mounts(self.spec)
        return Recipe(
            argv=[expand(word, known) for word in argv],
            environment={**settings.environment, "HOSTNAME": name, **self._gpu(), **known},
            folder=text(self.spec, "workingDir") or settings.folder,
            mounts=mounts,
            memory=self._memory(mounts),
        )

    def _gpu(self) -> dict[str, str]:
        """What a container is given that asks for a GPU; the scheduler has found it one."""
        gpus = self._ground.settings.gpus
        asked = quantity(text(self.spec, "resources", "limits", RESOURCE) or 0)
        return gpus.environment() if gpus is not None and asked else {}

    def _memory(self, mounts: Sequence[dict[str, Any]]) -> Memory:
        written = text(self.spec, "resources", "limits", "memory")
        sizes = [self._ground.holder.size(mount["source"]) for mount in mounts]
        uid = text(self._pod, "metadata", "uid")
        name = f"{uid}-{self.view.name}-{self.view.restarts}"
        limit = quantity(written) if written else 0
        return self._ground.memory.limited(name, limit=limit, volumes=sizes)


def containers(pod: Object, field: str, *, ground: Ground) -> list[Container]:
    """The containers under `initContainers` or `containers`."""
    return [Container(spec, pod, ground=ground) for spec in entries(pod, "spec", field)]
