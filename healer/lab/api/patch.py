"""The four kinds of patch, told apart by Content-Type; any other is refused with 415."""

from typing import Any

from healer.lab.api.failure import ApiError, bad_request
from healer.lab.api.strategic import merge, plain
from healer.lab.api.value import clone, is_list, is_map
from healer.lab.contract import Object

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
KNOWN = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)


def check_type(content_type: str) -> None:
    """Refuse what is no patch."""
    if content_type not in KNOWN:
        message = (
            "the body of the request was in an unknown format - accepted media types include: "
            + ", ".join(KNOWN)
        )
        raise ApiError(415, "UnsupportedMediaType", message)


def apply(content_type: str, current: Object, patch: Any) -> Object:
    """The object with the patch applied; `current` stays as it is."""
    if content_type == JSON_PATCH:
        if not is_list(patch):
            raise bad_request("a JSON patch is a list of operations")
        return _operations(clone(current), patch)
    if not is_map(patch):
        raise bad_request("the patch is not a JSON object")
    merged = plain(current, patch) if content_type == MERGE_PATCH else merge(current, patch)
    if not is_map(merged):
        raise bad_request("the patched object is not a JSON object")
    return clone(merged)


def _operations(obj: Object, operations: list[Any]) -> Object:
    root: Object = {"": obj}
    for operation in operations:
        if not is_map(operation) or not isinstance(operation.get("path"), str):
            raise bad_request(f"not an operation of a JSON patch: {operation}")
        try:
            _operate(root, operation)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise _failed(operation) from error
    found = root[""]
    if not is_map(found):
        raise bad_request("the patched object is not a JSON object")
    return found


def _failed(operation: Object) -> ApiError:
    message = (
        "the server rejected our request due to an error in our request: "
        f"{operation.get('op')} operation does not apply at {operation['path']}"
    )
    return ApiError(422, "Invalid", message)


def _operate(root: Object, operation: Object) -> None:
    path = operation["path"]
    match operation.get("op"):
        case "add":
            _add(root, path, operation["value"])
        case "remove":
            _take(root, path)
        case "replace":
            _take(root, path)
            _add(root, path, operation["value"])
        case "move":
            _add(root, path, _take(root, operation["from"]))
        case "copy":
            _add(root, path, clone({"it": _look(root, operation["from"])})["it"])
        case "test":
            if _look(root, path) != operation["value"]:
                raise ValueError("test failed")
        case other:
            raise bad_request(f"unexpected kind of operation in a JSON patch: {other}")


def _tokens(pointer: str) -> list[str]:
    if pointer and not pointer.startswith("/"):
        raise ValueError(f"{pointer!r} is no JSON pointer")
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")]


def _look(root: Any, pointer: str) -> Any:
    return _walk(root, _tokens(pointer))


def _walk(found: Any, tokens: list[str]) -> Any:
    for token in tokens:
        found = found[_index(found, token)] if is_list(found) else found[token]
    return found


def _index(found: list[Any], token: str) -> int:
    index = int(token)
    if not 0 <= index < len(found):
        raise IndexError(token)
    return index


def _add(root: Object, pointer: str, value: Any) -> None:
    *way, last = _tokens(pointer)
    parent = _walk(root, way)
    if is_list(parent):
        at = len(parent) if last == "-" else int(last)
        if not 0 <= at <= len(parent):
            raise IndexError(last)
        parent.insert(at, value)
    elif is_map(parent):
        parent[last] = value
    else:
        raise TypeError(f"nothing can be put at {pointer}")


def _take(root: Object, pointer: str) -> Any:
    *way, last = _tokens(pointer)
    parent = _walk(root, way)
    return parent.pop(_index(parent, last)) if is_list(parent) else parent.pop(last)
