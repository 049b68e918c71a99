"""The probes of a running container at work: who is ready, who is restarted."""

import asyncio
from dataclasses import dataclass

from healer.lab.node import probe
from healer.lab.node.container import Container
from healer.lab.node.probe import Probe, Tally
from healer.lab.node.voice import Voice


@dataclass(frozen=True, slots=True, kw_only=True)
class Probing:
    """Runs the probes of one life of a container."""

    container: Container
    address: str
    grace: float
    voice: Voice

    async def run(self) -> None:
        """The startup probe first; then, for ever, the others side by side."""
        startup = probe.find(self.container.spec, "startup")
        if startup is not None:
            if not await self._start(startup):
                return
            self.container.view.started = True
            self.container.view.ready = "readinessProbe" not in self.container.spec
            self.voice.publish()
        async with asyncio.TaskGroup() as group:
            if (readiness := probe.find(self.container.spec, "readiness")) is not None:
                group.create_task(self._follow(readiness))
            if (liveness := probe.find(self.container.spec, "liveness")) is not None:
                group.create_task(self._guard(liveness))

    async def _start(self, startup: Probe) -> bool:
        tally = Tally(probe=startup)
        async for wrong in startup.looks(self.address, self.container.run_inside):
            self._count(tally, wrong, "Startup")
            if tally.verdict is not None:
                break
        if not tally.verdict:
            await self._restart("startup", startup)
        return bool(tally.verdict)

    async def _follow(self, readiness: Probe) -> None:
        tally = Tally(probe=readiness)
        async for wrong in readiness.looks(self.address, self.container.run_inside):
            self._count(tally, wrong, "Readiness")
            self.container.view.ready = bool(tally.verdict)
            self.voice.publish()

    async def _guard(self, liveness: Probe) -> None:
        tally = Tally(probe=liveness)
        async for wrong in liveness.looks(self.address, self.container.run_inside):
            self._count(tally, wrong, "Liveness")
            if tally.verdict is False:
                break
        await self._restart("liveness", liveness)

    def _count(self, tally: Tally, wrong: str, kind: str) -> None:
        tally.count(wrong)
        if wrong:
            self.voice.warn("Unhealthy", f"{kind} probe failed: {wrong}")

    async def _restart(self, kind: str, failed: Probe) -> None:
        name = self.container.view.name
        self.voice.say("Killing", f"Container {name} failed {kind} probe, will be restarted")
        grace = failed.spec.get("terminationGracePeriodSeconds")
        await self.container.terminate(self.grace if grace is None else float(grace))
