"""As much OpenAPI as kubectl needs to see that dryRun and fieldValidation are understood.

No schemas: clients use the types they were built with.
"""

from healer.lab.api.resource import RESOURCES, Resource
from healer.lab.contract import Object

V2_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
"""kubectl reads version 2 in protobuf only; no bytes at all are a valid empty document."""


def index() -> Object:
    """/openapi/v3: where each group's document lies."""
    roots = sorted({_root(one) for one in RESOURCES})
    return {"paths": {root: {"serverRelativeURL": f"/openapi/v3/{root}"} for root in roots}}


def document(root: str) -> Object | None:
    """The document of one group and version: `apis/apps/v1`."""
    found = [one for one in RESOURCES if _root(one) == root]
    if not found:
        return None
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.36.0"},
        "paths": {_path(one): {"patch": _operation(one)} for one in found},
        "components": {"schemas": {}},
    }


def _root(one: Resource) -> str:
    return f"apis/{one.api_version}" if one.group else f"api/{one.version}"


def _path(one: Resource) -> str:
    space = "namespaces/{namespace}/" if one.namespaced else ""
    return f"/{_root(one)}/{space}{one.plural}/{{name}}"


def _operation(one: Resource) -> Object:
    names = ("dryRun", "fieldManager", "fieldValidation", "force")
    text = {"type": "string"}
    return {
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": {
            "group": one.group,
            "version": one.version,
            "kind": one.kind,
        },
        "parameters": [{"name": name, "in": "query", "schema": text} for name in names],
        "responses": {"200": {"description": "OK"}},
    }
