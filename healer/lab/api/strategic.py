"""Strategic merge: lists of named things are merged item by item, as the built-in types say."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from healer.lab.api.failure import bad_request
from healer.lab.api.value import is_list, is_map
from healer.lab.contract import Object

_KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "containers": ("name",),
        "initContainers": ("name",),
        "ephemeralContainers": ("name",),
        "env": ("name",),
        "volumes": ("name",),
        "imagePullSecrets": ("name",),
        "resourceClaims": ("name",),
        "secrets": ("name",),
        "ports": ("containerPort", "port"),
        "volumeMounts": ("mountPath",),
        "volumeDevices": ("devicePath",),
        "conditions": ("type",),
        "addresses": ("type",),
        "hostAliases": ("ip",),
        "topologySpreadConstraints": ("topologyKey",),
        "podIPs": ("ip",),
        "ownerReferences": ("uid",),
    }
)
"""Lists that merge, and the field that names their items (the first one that the items have)."""

_PRIMITIVE = frozenset({"finalizers"})
"""Lists of plain values that merge."""

_ORDER = "$setElementOrder/"
_REMOVE = "$deleteFromPrimitiveList/"
_DIRECTIVES = ("$patch", "$retainKeys")


def merge(current: Object, patch: Object) -> Object:
    """`current` with `patch` applied; neither is changed."""
    directive = patch.get("$patch")
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    if directive == "delete":
        return {}
    if directive not in {None, "merge"}:
        raise bad_request(f"Invalid value for $patch: {directive}")
    merged = dict(current)
    if is_list(retained := patch.get("$retainKeys")):
        merged = {key: value for key, value in merged.items() if key in retained}
    for key, value in patch.items():
        if not key.startswith("$"):
            _field(merged, key, value)
    _prune(merged, patch)
    return merged


def plain(current: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7386): lists are replaced whole."""
    if not is_map(patch):
        return patch
    merged = dict(current) if is_map(current) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = plain(merged.get(key), value)
    return merged


def _field(merged: Object, key: str, value: Any) -> None:
    there = merged.get(key)
    if value is None or (is_map(value) and value.get("$patch") == "delete"):
        merged.pop(key, None)
    elif is_map(value):
        merged[key] = merge(there if is_map(there) else {}, value)
    elif is_list(value) and (key in _KEYS or key in _PRIMITIVE):
        merged[key] = _list(key, there if is_list(there) else [], value)
    else:
        merged[key] = value


def _prune(merged: Object, patch: Object) -> None:
    """The directives that name a list of this map: remove plain values, reorder."""
    for key, value in patch.items():
        if key.startswith(_REMOVE):
            name = key.removeprefix(_REMOVE)
            there = merged.get(name)
            merged[name] = [one for one in there if one not in value] if is_list(there) else []
        elif key.startswith(_ORDER):
            name = key.removeprefix(_ORDER)
            if is_list(merged.get(name)):
                merged[name] = _ordered(name, merged[name], value)


def _list(key: str, there: list[Any], wanted: list[Any]) -> list[Any]:
    if key in _PRIMITIVE:
        return there + [one for one in wanted if one not in there]
    if {"$patch": "replace"} in wanted:
        return [one for one in wanted if one != {"$patch": "replace"}]
    name = _name_of(key, [*wanted, *there])
    if name is None:
        return wanted
    found = list(there)
    for one in wanted:
        _item(found, one, name, key)
    return found


def _name_of(key: str, found: list[Any]) -> str | None:
    """The field that names the items; None where they have none, so that the list is atomic."""
    present = (name for name in _KEYS[key] if any(is_map(one) and name in one for one in found))
    return next(present, None)


def _item(found: list[Any], one: Any, name: str, key: str) -> None:
    if not is_map(one) or name not in one:
        raise bad_request(f"map: {one} does not contain declared merge key: {name} (in {key})")
    at = next((i for i, old in enumerate(found) if is_map(old) and old.get(name) == one[name]), -1)
    if one.get("$patch") == "delete":
        if at >= 0:
            del found[at]
    elif at >= 0:
        found[at] = merge(found[at], one)
    else:
        found.append(merge({}, one))


def _ordered(key: str, found: list[Any], order: list[Any]) -> list[Any]:
    """Named ones in the order given; those the order does not know keep their place among them."""
    name = _name_of(key, found) if key in _KEYS else None
    of: Callable[[Any], Any] = (lambda one: one.get(name)) if name else (lambda one: one)
    rank = {of(one): place for place, one in enumerate(order)}
    placed = [(rank.get(of(one), -1), one) for one in found]
    last = -1.0
    keyed: list[tuple[float, int, Any]] = []
    for index, (place, one) in enumerate(placed):
        last = place if place >= 0 else last
        keyed.append((place if place >= 0 else last + 0.5, index, one))
    return [one for _, _, one in sorted(keyed, key=lambda entry: entry[:2])]
