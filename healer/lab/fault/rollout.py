"""Releases that come through: another container in every pod of a service, and back in the end.

Done through the API server as anybody who may deploy could. `release` has those that do not.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping

from healer.errors import PermanentError
from healer.lab.contract import Object
from healer.lab.remote import Remote
from healer.lab.site import Site

ROLLED_OUT_WITHIN = 180.0

Change = Callable[[Object], Object]
"""A container as it shall be, from what it is."""


@contextlib.asynccontextmanager
async def released(remote: Remote, site: Site, change: Change) -> AsyncGenerator[None]:
    """Every pod has the changed container while the block runs, and the one before after it."""
    before = await _container(remote, site)
    try:
        await _roll_out(remote, site, change(before))
        yield
    finally:
        await _roll_out(remote, site, before)


def with_environment(values: Mapping[str, str]) -> Change:
    """These variables are set, and all others stay."""

    def change(container: Object) -> Object:
        kept = [one for one in container["env"] if one["name"] not in values]
        fresh = [{"name": name, "value": value} for name, value in values.items()]
        return {**container, "env": [*kept, *fresh]}

    return change


def without(field: str) -> Change:
    """That field is left out."""
    return lambda container: {key: value for key, value in container.items() if key != field}


async def rolled_out(remote: Remote, site: Site) -> None:
    """Wait until all pods are those of the template, and ready; none of the old ones is left."""
    try:
        async with asyncio.timeout(ROLLED_OUT_WITHIN):
            while not await _all_new(remote, site):  # noqa: ASYNC110 asked over HTTP
                await asyncio.sleep(0.2)
    except TimeoutError:
        message = f"{site.deployment} was not rolled out within {ROLLED_OUT_WITHIN:g} s"
        raise PermanentError(message) from None


async def _roll_out(remote: Remote, site: Site, container: Object) -> None:
    patch: Object = {"spec": {"template": {"spec": {"containers": [container]}}}}
    await remote.patch("deployments", site.deployment, patch, namespace=site.namespace)
    await rolled_out(remote, site)


async def _container(remote: Remote, site: Site) -> Object:
    found = await _deployment(remote, site)
    (container,) = found["spec"]["template"]["spec"]["containers"]
    return dict(container)


async def _deployment(remote: Remote, site: Site) -> Object:
    return await remote.object("deployments", site.deployment, namespace=site.namespace)


async def _all_new(remote: Remote, site: Site) -> bool:
    """The deployment says so, and the pods that it counts no more are gone as well."""
    if not _is_through(await _deployment(remote, site)):
        return False
    pods = await remote.objects("pods", site.namespace, site.selector)
    return not any("deletionTimestamp" in pod["metadata"] for pod in pods)


def _is_through(found: Object) -> bool:
    status, wanted = found.get("status", {}), found["spec"]["replicas"]
    counts = [status.get(key) for key in ("replicas", "updatedReplicas", "availableReplicas")]
    seen = status.get("observedGeneration", 0) >= found["metadata"]["generation"]
    return seen and counts == [wanted] * 3
