"""JSON values: copying them, telling their shapes apart, reaching into them. No Kubernetes here."""

from collections.abc import Mapping
from typing import Any, TypeGuard

import orjson

from healer.lab.contract import Object


def clone(value: Object) -> Object:
    """A copy that shares nothing with the original."""
    copied: Object = orjson.loads(orjson.dumps(value))
    return copied


def is_map(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether it is a JSON object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether it is a JSON array."""
    return isinstance(value, list)


def dig(value: Any, *path: str) -> Any:
    """What lies at that path, or None where any part of the way is missing."""
    for key in path:
        if not is_map(value):
            return None
        value = value.get(key)
    return value


def section(value: Object, key: str) -> Object:
    """The map under `key`, put there if it is missing or null; changes made to it count."""
    inner = value.get(key)
    if not is_map(inner):
        inner = value[key] = {}
    return inner


def metadata(obj: Object) -> Object:
    """The object's metadata, put there if it is missing."""
    return section(obj, "metadata")


def labels(obj: Mapping[str, Any]) -> Mapping[str, str]:
    """The object's labels, to be read."""
    found = dig(obj, "metadata", "labels")
    return found if is_map(found) else {}


def items(value: Any, *path: str) -> list[Any]:
    """The list at that path, empty where there is none."""
    found = dig(value, *path) if path else value
    return found if is_list(found) else []


def fields(value: Any, *path: str) -> Object:
    """The map at that path, to be read; empty where there is none."""
    found = dig(value, *path)
    return found if is_map(found) else {}
