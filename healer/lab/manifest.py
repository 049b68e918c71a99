"""Reads the shipped manifests for the lab, and makes them small enough for one machine.

Every change is asked for by name and said aloud; everything else stays as shipped.
"""

import copy
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from healer.lab.contract import Object

Name = str
"""Kind and name of an object: PersistentVolumeClaim/llm-model-pvc."""


def tell(change: str) -> None:
    """Say it where progress is said."""
    sys.stderr.write(change + "\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """What is to differ from the shipped manifests, by object."""

    sizes: Mapping[Name, str]
    """Storage of claims."""
    replicas: Mapping[Name, int]
    """Replicas of deployments; an autoscaler's minimum goes down with them."""
    env: Mapping[Name, Mapping[str, str]]
    """Environment added to the first container of deployments."""
    resources: Mapping[Name, Object]
    """Requests and limits of the first container of deployments, in place of the shipped ones."""


def read(folder: Path) -> list[Object]:
    """The objects of a Kustomize folder, in its order, as shipped."""
    listing = _documents(folder / "kustomization.yaml")[0]
    return [obj for name in listing["resources"] for obj in _documents(folder / name)]


def load(
    folder: Path,
    *,
    sizes: Mapping[Name, str] | None = None,
    replicas: Mapping[Name, int] | None = None,
    env: Mapping[Name, Mapping[str, str]] | None = None,
    resources: Mapping[Name, Object] | None = None,
    say: Callable[[str], None] = tell,
) -> list[Object]:
    """The objects of a folder, with each change told to `say`; ValueError for an unknown name."""
    sizing = Sizing(
        sizes=sizes or {}, replicas=replicas or {}, env=env or {}, resources=resources or {}
    )
    shipped = read(folder)
    _check(shipped, sizing, folder)
    return [_resized(obj, sizing, say) for obj in shipped]


def name_of(obj: Object) -> Name:
    """How objects are named here."""
    return f"{obj['kind']}/{obj['metadata']['name']}"


def _documents(path: Path) -> list[Object]:
    with path.open() as file:
        return [document for document in yaml.safe_load_all(file) if document is not None]


def _check(shipped: list[Object], sizing: Sizing, folder: Path) -> None:
    known = {name_of(obj) for obj in shipped}
    for given in (sizing.sizes, sizing.replicas, sizing.env, sizing.resources):
        for name in given:
            if name not in known:
                raise ValueError(f"{folder} has no {name}; it has {', '.join(sorted(known))}")


def _resized(obj: Object, sizing: Sizing, say: Callable[[str], None]) -> Object:
    found, name = copy.deepcopy(obj), name_of(obj)
    for path, value in _wishes(found, sizing).items():
        place = found
        for key in path[:-1]:
            place = place[key]
        old = place.get(path[-1])
        if old != value:
            shown = ".".join(str(key) for key in path)
            say(f"{name}: {shown} is {_short(value)} here, shipped as {_short(old)}")
            place[path[-1]] = value
    return found


def _wishes(obj: Object, sizing: Sizing) -> dict[tuple[Any, ...], Any]:
    """What an object is to hold, by path."""
    name, found = name_of(obj), dict[tuple[Any, ...], Any]()
    if name in sizing.sizes:
        found["spec", "resources", "requests", "storage"] = sizing.sizes[name]
    if name in sizing.replicas:
        found["spec", "replicas"] = sizing.replicas[name]
    if obj["kind"] == "HorizontalPodAutoscaler":
        target, least = obj["spec"]["scaleTargetRef"], obj["spec"]["minReplicas"]
        wanted = sizing.replicas.get(f"{target['kind']}/{target['name']}", least)
        found["spec", "minReplicas"] = min(wanted, least)
    container = ("spec", "template", "spec", "containers", 0)
    if name in sizing.resources:
        found[(*container, "resources")] = sizing.resources[name]
    if name in sizing.env:
        shipped = obj["spec"]["template"]["spec"]["containers"][0].get("env", [])
        kept = [item for item in shipped if item["name"] not in sizing.env[name]]
        added = [{"name": key, "value": value} for key, value in sizing.env[name].items()]
        found[(*container, "env")] = kept + added
    return found


def _short(value: Any) -> str:
    """Environment by its names alone: values may be secret."""
    if isinstance(value, list):
        names = [str(item["name"]) for item in cast("list[Object]", value)]
        return f"[{', '.join(names)}]"
    return "absent" if value is None else str(value)
