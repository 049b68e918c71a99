"""Discovery: which groups, versions and resources there are, as clients ask before anything."""

from collections.abc import Sequence

from healer.lab.api import openapi
from healer.lab.api.resource import RESOURCES, REVIEW, Resource, Subresource
from healer.lab.contract import Object

VERSION: Object = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.0",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "2026-04-22T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}
_ALL = (*RESOURCES, REVIEW)


def document(path: str) -> Object | None:
    """What lies at a path of discovery, or None."""
    match path.strip("/").split("/"):
        case ["version"]:
            return VERSION
        case ["api", *rest]:
            core = {"kind": "APIVersions", "versions": ["v1"]}
            return _resources("", rest[0]) if rest else core
        case ["openapi", "v3", *rest]:
            return openapi.document("/".join(rest)) if rest else openapi.index()
        case ["apis", *rest]:
            return _below(rest)
        case _:
            return None


def _below(rest: Sequence[str]) -> Object | None:
    match rest:
        case []:
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": _groups()}
        case [name]:
            found = next((one for one in _groups() if one["name"] == name), None)
            return found and {"kind": "APIGroup", "apiVersion": "v1"} | found
        case [group, version]:
            return _resources(group, version)
        case _:
            return None


def _groups() -> Sequence[Object]:
    found = {(one.group, one.version) for one in _ALL if one.group}
    return [_group(group, version) for group, version in sorted(found)]


def _group(group: str, version: str) -> Object:
    one = {"groupVersion": f"{group}/{version}", "version": version}
    return {"name": group, "versions": [one], "preferredVersion": one}


def _resources(group: str, version: str) -> Object | None:
    found = [one for one in _ALL if (one.group, one.version) == (group, version)]
    if not found:
        return None
    listed: list[Object] = []
    for one in found:
        listed.append(_resource(one))
        listed += [_part(one, part) for part in one.subresources]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": listed,
    }


def _resource(one: Resource) -> Object:
    found: Object = {
        "name": one.plural,
        "singularName": one.kind.lower(),
        "namespaced": one.namespaced,
        "kind": one.kind,
        "verbs": list(one.verbs),
    }
    if one.short:
        found["shortNames"] = list(one.short)
    if one.categories:
        found["categories"] = list(one.categories)
    return found


def _part(one: Resource, part: Subresource) -> Object:
    found: Object = {
        "name": f"{one.plural}/{part.name}",
        "singularName": "",
        "namespaced": one.namespaced,
        "kind": part.kind,
        "verbs": list(part.verbs),
    }
    if part.version:
        found |= {"group": part.group, "version": part.version}
    return found
