"""corrupt-model and its kin: a flipped bit in the weights on the volume (SCENARIO-6).

Flipped in place, as a bad disk would, by a command in a pod. The backups, mounted read-only where
the server looks, are reached through the volume's root.
"""

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from healer.errors import PermanentError
from healer.lab.fault.contract import Say
from healer.lab.fault.proof import firing, shown
from healer.lab.fault.release import nobody_ready
from healer.lab.remote import Remote
from healer.lab.site import SITES, Site

MODEL, BACKUP = "/mnt/ssd/models/default", "/mnt/ssd/backups/default"

FLIP = """
import pathlib, shutil, sys
for folder in sys.argv[1:]:
    shutil.copy2(pathlib.Path(folder) / "manifest.json", pathlib.Path(folder) / ".manifest")
    path = sorted(pathlib.Path(folder).glob("*.safetensors"))[0]
    shutil.copy2(path, path.with_name(".sound"))
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))
    print(f"one bit of {path}")
"""
PUT_BACK = """
import pathlib, sys
for folder in sys.argv[1:]:
    path = sorted(pathlib.Path(folder).glob("*.safetensors"))[0]
    path.with_name(".sound").replace(path)
    path.with_name(".manifest").replace(path.with_name("manifest.json"))
"""
UNLIST = """
import pathlib, sys
(pathlib.Path(sys.argv[1]) / "manifest.json").unlink()
print("and nothing says any more what it should be")
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorruptModel:
    """A bit flips in the model, and in its backup too if so wished; then a pod may start anew."""

    name: str
    service: str = "llm-inference"
    backup_too: bool = False
    unlisted: bool = False
    """Is the manifest lost as well?"""
    restart: bool = False
    passes: bool = False
    """Does it go away by itself as soon as the alert fires?"""

    @property
    def lasts(self) -> bool:
        """What nobody may restore is put back in the end."""
        return self.backup_too or self.unlisted

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[None]:
        """Returns once the servers themselves have noticed."""
        site = SITES[self.service]
        folders = [MODEL, BACKUP] if self.backup_too else [MODEL]
        said = await _python(remote, site, FLIP, folders)
        if self.unlisted:
            said += "\n" + await _python(remote, site, UNLIST, [MODEL])
        say(f"Flipped on the volume: {said.replace(chr(10), ', ')}.")
        try:
            if self.restart and not self.passes:
                await _restart_one(remote, site, say)
            await _noticed(remote, site, say)
            if self.passes:
                await self._pass(remote, site, say)
            yield
        finally:
            if self.lasts:
                await _python(remote, site, PUT_BACK, folders)
                say("Model and backup are as they were.")

    async def _pass(self, remote: Remote, site: Site, say: Say) -> None:
        """Before the alert fires: until it is looked at anew the server's word still stands."""
        await _python(remote, site, PUT_BACK, [MODEL])
        say("The bit is as it was: the fault passed by itself.")
        if self.restart:
            await _restart_one(remote, site, say)
        await firing(remote, "ModelIntegrityCheckFailed", site.namespace)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRefused:
    """A bit flips in the model and one in its backup, and one pod after the other starts anew."""

    name: str = "model-refused"
    service: str = "largeforge"
    lasts: bool = True

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[None]:
        """Returns when no pod serves, and one that started with that model has said why."""
        site = SITES[self.service]
        said = await _python(remote, site, FLIP, [MODEL, BACKUP])
        say(f"Flipped on the volume: {said.replace(chr(10), ', ')}.")
        try:
            first, *others = await remote.ready_pods(site.namespace, site.selector)
            await remote.delete("pods", site.namespace, first, grace=0)
            say(f"{first} is deleted; its successor refuses that model.")
            left = "|".join(others)
            own = f'namespace="{site.namespace}", component="model_integrity"'
            fresh = f'max(health_check_status{{{own}, pod!~"{first}|{left}"}})'
            await shown(remote, fresh, lambda status: status == 3)
            for pod in others:
                await remote.delete("pods", site.namespace, pod, grace=0)
            await nobody_ready(remote, site)
            say("The others are deleted as well: no pod is ready any more.")
            yield
        finally:
            await _python(remote, site, PUT_BACK, [MODEL, BACKUP])
            say("Model and backup are as they were.")


async def _python(remote: Remote, site: Site, script: str, folders: list[str]) -> str:
    """In a pod that serves, or at least runs, as anybody with `kubectl exec` could."""
    pods = await remote.ready_pods(site.namespace, site.selector)
    pods = pods or await _running(remote, site)
    if not pods:
        message = f"no pod of {site.name} runs: nowhere to break anything"
        raise PermanentError(message)
    ran = await remote.run_in(site.namespace, pods[0], ["python", "-c", script, *folders])
    if ran.code != 0:
        message = f"a command in {pods[0]} failed (exit {ran.code}): {ran.output.strip()}"
        raise PermanentError(message)
    return ran.output.strip()


async def _running(remote: Remote, site: Site) -> list[str]:
    pods = await remote.objects("pods", site.namespace, site.selector)
    return sorted(
        str(pod["metadata"]["name"])
        for pod in pods
        if any("running" in one["state"] for one in pod["status"].get("containerStatuses", []))
    )


async def _restart_one(remote: Remote, site: Site, say: Say) -> None:
    """Take a pod away; its successor finds the model as it is now."""
    pods = await remote.ready_pods(site.namespace, site.selector)
    await remote.delete("pods", site.namespace, pods[-1])
    say(f"{pods[-1]} is deleted; its successor must start with that model.")


async def _noticed(remote: Remote, site: Site, say: Say) -> None:
    where = f'namespace="{site.namespace}", component="model_integrity"'
    await shown(remote, f"max(health_check_status{{{where}}})", lambda status: status == 3)
    say("The servers say so themselves: model_integrity is critical.")
