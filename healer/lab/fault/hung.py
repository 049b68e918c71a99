"""servers-hang: the processes of all pods are stopped: they hold their port, and say nothing."""

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from healer.errors import HealerError, PermanentError
from healer.lab.fault.contract import Say
from healer.lab.fault.release import nobody_ready
from healer.lab.remote import Remote
from healer.lab.site import SITES, Site

# Whoever has this container's mounts and is a server; a command that was started here is none.
SIGNAL = """
import os, signal, sys
here, found = os.readlink("/proc/self/ns/mnt"), 0
for process in filter(str.isdigit, os.listdir("/proc")):
    try:
        with open(f"/proc/{process}/cmdline", "rb") as file:
            server = b"-m\\0inference\\0serve" in file.read()
        if server and os.readlink(f"/proc/{process}/ns/mnt") == here:
            os.kill(int(process), getattr(signal, sys.argv[1]))
            found += 1
    except OSError:
        continue
sys.exit(not found)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hung:
    """Every server of a service: readiness fails soon, and Kubernetes restarts none for a while."""

    name: str = "servers-hang"
    service: str = "largeforge"
    lasts: bool = True

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[None]:
        """Lasts until the processes are let go on, or Kubernetes has restarted them."""
        site = SITES[self.service]
        pods = await remote.ready_pods(site.namespace, site.selector)
        try:
            for pod in pods:
                await signalled(remote, site, pod, "SIGSTOP")
            say(f"The servers of {site.name} hang: {', '.join(pods)}.")
            await nobody_ready(remote, site)
            say("No pod is ready any more.")
            yield
        finally:
            for pod in pods:
                with contextlib.suppress(HealerError):  # it may have been restarted since
                    await signalled(remote, site, pod, "SIGCONT")
            say("The servers go on.")


async def signalled(remote: Remote, site: Site, pod: str, name: str) -> None:
    """Send a signal to the server in a pod."""
    ran = await remote.run_in(site.namespace, pod, ["python", "-c", SIGNAL, name])
    if ran.code != 0:
        message = f"{pod}: no server got {name} (exit {ran.code}): {ran.output.strip()}"
        raise PermanentError(message)
