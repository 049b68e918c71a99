"""create, update, patch, delete: from a body to a stored object, by the rules of the API."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from healer.lab.api import patch as patching
from healer.lab.api.admission import admit_create, admit_update
from healer.lab.api.call import Call, answer, check_dry_run
from healer.lab.api.default import fill
from healer.lab.api.failure import (
    ApiError,
    bad_request,
    conflict,
    invalid,
    not_found,
    required,
    uid_conflict,
)
from healer.lab.api.resource import Resource
from healer.lab.api.validation import check
from healer.lab.api.value import clone, dig, items, metadata
from healer.lab.contract import Object

_SERVER_OWN = (
    "uid",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "resourceVersion",
)
_OTHER_NAMESPACE = (
    "the namespace of the provided object does not match the namespace sent on the request"
)


async def create(call: Call) -> web.Response:
    """POST to a collection."""
    obj = await call.object()
    made = call.store.create(call.resource.plural, proposed(call, obj), dry_run=call.dry_run)
    return answer(made, code=201)


def proposed(call: Call, obj: Object) -> Object:
    """The object as it may be created; raises if it may not."""
    resource = call.resource
    _identify(call, obj)
    if obj["metadata"].get("resourceVersion"):
        raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
    if resource.status:
        obj.pop("status", None)
    admit_create(call.store, resource, obj)
    draft = call.store.create(resource.plural, obj, dry_run=True)
    obj["metadata"]["name"] = draft["metadata"]["name"]
    check(resource, draft, None)
    return obj


def _identify(call: Call, obj: Object) -> None:
    """The body and the path must speak of the same thing."""
    resource, target = call.resource, call.target
    obj.setdefault("kind", resource.kind)
    obj.setdefault("apiVersion", resource.api_version)
    if (obj["apiVersion"], obj["kind"]) != (resource.api_version, resource.kind):
        message = (
            f'{obj["kind"]} in version "{obj["apiVersion"]}" cannot be handled as a '
            f"{resource.kind}: expected {resource.api_version}"
        )
        raise bad_request(message)
    meta = metadata(obj)
    space = target.namespace
    if resource.namespaced and meta.setdefault("namespace", space) != space:
        raise bad_request(_OTHER_NAMESPACE)
    if target.name and meta.setdefault("name", target.name) != target.name:
        message = (
            f"the name of the object ({meta['name']}) does not match the name on the URL "
            f"({target.name})"
        )
        raise bad_request(message)


async def update(call: Call) -> web.Response:
    """PUT of an object or of its status."""
    obj = await call.object()
    _identify(call, obj)
    return answer(change(call, lambda _: obj))


async def patch(call: Call) -> web.Response:
    """PATCH of an object or of its status."""
    content_type = call.content_type
    patching.check_type(content_type)
    body: Any = await call.body()
    if content_type == patching.APPLY_PATCH:
        _check_manager(call)
        if call.store.get(call.resource.plural, call.namespace, call.target.name) is None:
            return _apply_new(call, body)

    def patched(current: Object) -> Object:
        return patching.apply(content_type, current, body)

    return answer(change(call, patched))


def _check_manager(call: Call) -> None:
    if not call.query.get("fieldManager"):
        fault = required("fieldManager", "is required for apply patch")
        raise invalid("PatchOptions", "", [fault], group="meta.k8s.io")


def _apply_new(call: Call, body: Any) -> web.Response:
    obj = clone(patching.apply(patching.APPLY_PATCH, {}, body))
    made = call.store.create(call.resource.plural, proposed(call, obj), dry_run=call.dry_run)
    return answer(made, code=201)


def change(call: Call, revise: Callable[[Object], Object]) -> Object:
    """Store what `revise` makes of the current object, if it may be stored."""
    resource, name = call.resource, call.target.name

    def write(current: Object) -> None:
        new = revise(clone(current))
        settle(call, current, new)
        current.clear()
        current.update(new)

    found = call.store.update(resource.plural, call.namespace, name, write, dry_run=call.dry_run)
    if found is None:
        raise not_found(resource, name)
    return found


def settle(call: Call, current: Object, new: Object) -> None:
    """Bring a proposed object into shape; raise if it may not replace the current one."""
    resource = call.resource
    _identify(call, new)
    precondition(resource, current, metadata(new))
    meta = metadata(new)
    for key in _SERVER_OWN:
        if key in current["metadata"]:
            meta[key] = current["metadata"][key]
        else:
            meta.pop(key, None)
    meta.pop("managedFields", None)
    if call.target.part == "status":
        status = new.get("status")
        new.clear()
        new.update(clone(current), metadata=meta, status=status)
        return
    if resource.status:
        new.pop("status", None)
        new.update({"status": current["status"]} if "status" in current else {})
    fill(resource, new)
    admit_update(call.store, resource, new, current)
    check(resource, new, current)


def precondition(resource: Resource, current: Object, meta: Object) -> None:
    """The caller's uid and resourceVersion, where given, must be those of the object."""
    name, now = current["metadata"]["name"], current["metadata"]
    if meta.get("uid") and meta["uid"] != now["uid"]:
        raise uid_conflict(resource, name, meta["uid"], now["uid"])
    if meta.get("resourceVersion") and meta["resourceVersion"] != now["resourceVersion"]:
        raise conflict(resource, name)


def is_dry(call: Call, options: Object) -> bool:
    """Said in the query or in the options."""
    return call.dry_run or check_dry_run(items(options, "dryRun"))


def grace_wanted(call: Call, options: Object) -> int | None:
    """Seconds asked for in the query or in the options."""
    found = call.query.get("gracePeriodSeconds") or dig(options, "gracePeriodSeconds")
    try:
        return None if found is None else int(found)
    except ValueError as error:
        raise bad_request(f"gracePeriodSeconds is no number: {found}") from error
