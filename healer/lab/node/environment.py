"""The environment and the arguments of a container, as a kubelet works them out. Pure."""

import base64
import re
from collections.abc import Callable, Mapping

from healer.lab.contract import Object
from healer.lab.node.field import entries, mapping, text, value

REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_.-][A-Za-z0-9_.-]*)\)")

Lookup = Callable[[str, str], Object | None]
"""Finds an object of the pod's namespace by resource and name."""


class UnresolvedError(Exception):
    """Something the container refers to is not there; a kubelet waits for it and says so."""


def expand(written: str, known: Mapping[str, str]) -> str:
    """Replace $(NAME) where the name is known; $$ is one dollar sign."""

    def replaced(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return known.get(match[1], match[0])

    return REFERENCE.sub(replaced, written)


def environment(container: Object, pod: Object, look: Lookup) -> dict[str, str]:
    """`envFrom`, then `env` in order, each able to use those before it."""
    known: dict[str, str] = {}
    for source in entries(container, "envFrom"):
        known |= _imported(source, look)
    for variable in entries(container, "env"):
        if "value" in variable:
            known[variable["name"]] = expand(text(variable, "value"), known)
        elif "valueFrom" in variable:
            found = _referred(variable["valueFrom"], pod, look)
            if found is not None:
                known[variable["name"]] = found
        else:
            known[variable["name"]] = ""
    return known


def content(obj: Object) -> dict[str, bytes]:
    """The keys of a ConfigMap or Secret with their bytes."""
    if obj.get("kind") == "Secret":
        plain = {key: str(written).encode() for key, written in mapping(obj, "stringData").items()}
        coded = mapping(obj, "data").items()
        return {key: base64.b64decode(written) for key, written in coded} | plain
    binary = mapping(obj, "binaryData").items()
    return {key: str(written).encode() for key, written in mapping(obj, "data").items()} | {
        key: base64.b64decode(written) for key, written in binary
    }


def _imported(source: Object, look: Lookup) -> dict[str, str]:
    for field, resource in (("configMapRef", "configmaps"), ("secretRef", "secrets")):
        if reference := mapping(source, field):
            found = _find(resource, reference, look)
            prefix = text(source, "prefix")
            return {prefix + key: data.decode() for key, data in found.items()}
    return {}


def _referred(source: Object, pod: Object, look: Lookup) -> str | None:
    if reference := mapping(source, "fieldRef"):
        return _field(pod, text(reference, "fieldPath"))
    for field, resource in (("configMapKeyRef", "configmaps"), ("secretKeyRef", "secrets")):
        if reference := mapping(source, field):
            found = _find(resource, reference, look)
            key = text(reference, "key")
            if key not in found and not reference.get("optional"):
                raise UnresolvedError(f"couldn't find key {key} in {resource} {reference['name']}")
            return found[key].decode() if key in found else None
    raise UnresolvedError(f"the lab knows no environment from {', '.join(source) or 'nothing'}")


def _find(resource: str, reference: Object, look: Lookup) -> dict[str, bytes]:
    found = look(resource, text(reference, "name"))
    if found is not None:
        return content({"kind": "Secret" if resource == "secrets" else "ConfigMap", **found})
    if reference.get("optional"):
        return {}
    raise UnresolvedError(f'{resource.removesuffix("s")} "{text(reference, "name")}" not found')


def _field(pod: Object, path: str) -> str:
    """A downward API path: dotted, or a key of a map in brackets and quotes."""
    if match := re.fullmatch(r"(metadata\.(?:labels|annotations))\['(.+)'\]", path):
        return text(pod, *match[1].split("."), match[2])
    found = value(pod, *path.split("."))
    if found is None:
        raise UnresolvedError(f"the pod has no field {path}")
    return str(found)
