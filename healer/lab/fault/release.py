"""Releases that cannot run, and what takes all pods of a service down (INC-003).

Done through the API server as anybody who may deploy could; the service is as before in the end.
"""

import asyncio
import contextlib
import copy
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from healer.errors import PermanentError
from healer.lab.contract import Object
from healer.lab.fault.contract import Say
from healer.lab.fault.proof import shown
from healer.lab.remote import Remote
from healer.lab.site import SITES, Site

DOWN_WITHIN = 60.0
KNOWN = 'workload:replicas_wanted:count{namespace="%s", deployment="%s"}'
AT_ONCE: Object = {"rollingUpdate": {"maxUnavailable": "100%", "maxSurge": 0}}
"""A strategy that replaces all pods together, as impatient releases do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRelease:
    """Changes the container of a deployment so that it cannot run, and all pods with it."""

    name: str
    change: Object
    """What the release changes in the container; arguments replace those of the same flag."""
    what: str
    kept: bool = True
    """Is the revision before it kept? Without one there is no way back, and nothing to compare."""
    silenced: str = ""
    """An alert that somebody silenced, for it comes and goes with each life of a pod."""
    service: str = "largeforge"
    lasts: bool = True

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[None]:
        """Returns when no pod is ready any more."""
        async with _silent(remote, self.service, self.silenced), self._released(remote, say=say):
            yield

    @contextlib.asynccontextmanager
    async def _released(self, remote: Remote, *, say: Say) -> AsyncGenerator[None]:
        site = SITES[self.service]
        before = await _deployment(remote, site)
        container = _changed(before["spec"]["template"]["spec"]["containers"][0], self.change)
        template = {"spec": {"containers": [container]}}
        history = {} if self.kept else {"revisionHistoryLimit": 0}
        patch: Object = {"spec": {"strategy": AT_ONCE, "template": template, **history}}
        await remote.patch("deployments", site.deployment, patch, namespace=site.namespace)
        say(f"A release of {site.deployment} {self.what}, and replaces all pods at once.")
        try:
            await nobody_ready(remote, site)
            forgotten = "" if self.kept else ", and the revision before is not kept"
            say(f"No pod is ready any more{forgotten}.")
            yield
        finally:
            await put_back(remote, site, before)
            say(f"{site.deployment} is as it was before the release.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """Somebody deletes the deployment."""

    name: str = "deployment-gone"
    service: str = "largeforge"
    lasts: bool = True

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[None]:
        """In the end it is created anew. What Prometheus never saw it would not miss."""
        site = SITES[self.service]
        before = await _deployment(remote, site)
        await shown(remote, KNOWN % (site.namespace, site.deployment), lambda value: value > 0)
        await remote.delete("deployments", site.namespace, site.deployment)
        say(f"{site.deployment} is deleted.")
        try:
            await nobody_ready(remote, site)
            yield
        finally:
            meta = before["metadata"]
            kept = {key: meta[key] for key in ("name", "namespace", "labels") if key in meta}
            fresh = {**before, "metadata": kept}
            fresh.pop("status", None)
            await remote.create("deployments", fresh, namespace=site.namespace)
            say(f"{site.deployment} is there again.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """Somebody pauses the rollout, and the ReplicaSet is deleted: so no pod comes again."""

    name: str = "rollout-paused"
    service: str = "largeforge"
    lasts: bool = True

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[None]:
        """In the end it is resumed."""
        site = SITES[self.service]
        await self._pause(remote, site, paused=True)
        for one in await remote.objects("replicasets", site.namespace, site.selector):
            await remote.delete("replicasets", site.namespace, str(one["metadata"]["name"]))
        say(f"The rollout of {site.deployment} is paused, and its ReplicaSet is deleted.")
        try:
            await nobody_ready(remote, site)
            yield
        finally:
            await self._pause(remote, site, paused=False)
            say(f"The rollout of {site.deployment} is resumed.")

    async def _pause(self, remote: Remote, site: Site, *, paused: bool) -> None:
        change = {"spec": {"paused": paused}}
        await remote.patch("deployments", site.deployment, change, namespace=site.namespace)


@contextlib.asynccontextmanager
async def _silent(remote: Remote, service: str, alert: str) -> AsyncGenerator[None]:
    """No word of that alert until it is over; '' is none."""
    if not alert:
        yield
        return
    silence = await remote.silence({"service": service, "alertname": alert})
    try:
        yield
        lately = f'last_over_time(ALERTS{{alertname="{alert}", service="{service}"}}[15s])'
        await shown(remote, f"count({lately}) or vector(0)", lambda value: value == 0, within=60)
    finally:
        await remote.unsilence(silence)


async def delete_pods(remote: Remote, site: Site, *, grace: int | None = None) -> None:
    """All of them, as `kubectl delete pods -l` does."""
    for pod in await remote.ready_pods(site.namespace, site.selector):
        await remote.delete("pods", site.namespace, pod, grace=grace)


async def nobody_ready(remote: Remote, site: Site) -> None:
    """Wait until no pod takes traffic."""
    try:
        async with asyncio.timeout(DOWN_WITHIN):
            ready = await remote.ready_pods(site.namespace, site.selector)
            while ready:
                await asyncio.sleep(0.2)
                ready = await remote.ready_pods(site.namespace, site.selector)
    except TimeoutError:
        message = f"{site.name} still has ready pods after {DOWN_WITHIN:g} s"
        raise PermanentError(message) from None


async def put_back(remote: Remote, site: Site, before: Object) -> None:
    """Strategy and template as they were; where healer went back already, only the strategy."""
    spec = before["spec"]
    patch: list[Object] = [
        {"op": "replace", "path": "/spec/strategy", "value": spec["strategy"]},
        {"op": "add", "path": "/spec/revisionHistoryLimit", "value": spec["revisionHistoryLimit"]},
        {"op": "replace", "path": "/spec/template", "value": spec["template"]},
    ]
    await remote.patch("deployments", site.deployment, patch, namespace=site.namespace)


async def _deployment(remote: Remote, site: Site) -> Object:
    return await remote.object("deployments", site.deployment, namespace=site.namespace)


def _changed(container: Object, change: Object) -> Object:
    """A container with arguments replaced by their flag, and resources by their name."""
    found, given = copy.deepcopy({**container, **change}), change.get("args", [])
    found["resources"] = copy.deepcopy(container["resources"])
    flags = {one.partition("=")[0] for one in given}
    kept = [one for one in container["args"] if one.partition("=")[0] not in flags]
    found["args"] = [*kept, *given]
    for kind, amounts in change.get("resources", {}).items():
        found["resources"][kind] = {**found["resources"].get(kind, {}), **amounts}
    return found
