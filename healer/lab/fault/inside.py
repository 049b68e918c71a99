"""Defects of a serving process: it leaks, or torch refuses what it asks (SCENARIO-3, INC-002).

The defect lies inside (healer/lab/inside) and is woken by a signal, sent by a command in the pod.
What it does then is real, and a new process has none of it.
"""

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from healer.errors import PermanentError
from healer.lab.contract import Object
from healer.lab.fault.contract import Say
from healer.lab.fault.flood import Flood
from healer.lab.fault.proof import shown
from healer.lab.inside.sitecustomize import DEFECTS
from healer.lab.remote import Remote
from healer.lab.site import SITES, Site

SEND = """
import os, signal, sys
pod, number = sys.argv[1].encode(), int(sys.argv[2])
sent = 0
for each in filter(str.isdigit, os.listdir("/proc")):
    try:
        with open(f"/proc/{each}/environ", "rb") as file:
            mine = b"HOSTNAME=" + pod in file.read().split(b"\\0")
        with open(f"/proc/{each}/cmdline", "rb") as file:
            serves = b"serve" in file.read().split(b"\\0")
    except OSError:
        continue
    if mine and serves:
        os.kill(int(each), signal.SIGRTMIN + number)
        sent += 1
sys.exit(0 if sent == 1 else 3)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """One of the defects, in one pod or in all of them, while requests come at a rate."""

    name: str
    service: str
    defect: str
    what: str
    everywhere: bool = False
    rate: float = 0.0
    """Requests a second meanwhile; 0 is none."""
    proof: str = ""
    """A PromQL query that is above 0 once it shows; `{where}` is the namespace matcher."""
    lasts: bool = True

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[None]:
        """Returns when it shows. In the end no process with the defect is left."""
        site = SITES[self.service]
        async with contextlib.AsyncExitStack() as stack:
            if self.rate:
                flow = Flood(name=self.name, service=self.service, rate=self.rate)
                await stack.enter_async_context(flow.strike(remote, say=say))
            pods = await remote.ready_pods(site.namespace, site.selector)
            hurt = pods if self.everywhere else pods[:1]
            for pod in hurt:
                await send(remote, site, pod, self.defect)
            say(f"{', '.join(hurt)}: {self.what}.")
            if self.proof:
                where = f'namespace="{site.namespace}"'
                query = self.proof.replace("{where}", where)
                await shown(remote, query, lambda value: value > 0, within=60)
            try:
                yield
            finally:
                await self._end(remote, site, hurt)

    async def _end(self, remote: Remote, site: Site, hurt: list[str]) -> None:
        """Leaks are freed; of what cannot be taken back the process must go."""
        left = await remote.ready_pods(site.namespace, site.selector)
        if self.defect.startswith("leak"):
            await _free(remote, site, [pod for pod in hurt if pod in left])
        elif set(hurt) & set(left):
            await restart(remote, site)


async def send(remote: Remote, site: Site, pod: str, defect: str) -> None:
    """Wake a defect in the server of a pod, as `kubectl exec` with `kill` could."""
    argv = ["python", "-c", SEND, pod, str(DEFECTS[defect])]
    ran = await remote.run_in(site.namespace, pod, argv)
    if ran.code != 0:
        message = f"{pod} could not be told to {defect} (exit {ran.code}): {ran.output.strip()}"
        raise PermanentError(message)


async def restart(remote: Remote, site: Site) -> None:
    """All pods anew, one by one."""
    found = await remote.object("deployments", site.deployment, namespace=site.namespace)
    stamp = {"kubectl.kubernetes.io/restartedAt": f"after {found['metadata']['resourceVersion']}"}
    template: Object = {"metadata": {"annotations": stamp}}
    patch: Object = {"spec": {"template": template}}
    await remote.patch("deployments", site.deployment, patch, namespace=site.namespace)


async def _free(remote: Remote, site: Site, pods: list[str]) -> None:
    for pod in pods:
        await send(remote, site, pod, "free")
