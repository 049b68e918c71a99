"""delete and deletecollection: what goes at once, what ends with grace, what is left behind."""

from aiohttp import web

from healer.lab.api.call import Call, answer
from healer.lab.api.failure import details_of, forbidden, not_found, success
from healer.lab.api.read import selected
from healer.lab.api.termination import grace_of, mark, stamp
from healer.lab.api.value import dig, fields, items
from healer.lab.api.write import grace_wanted, is_dry, precondition
from healer.lab.contract import Object

_LASTING = frozenset({"default", "kube-system", "kube-public"})


async def delete(call: Call) -> web.Response:
    """DELETE of one object."""
    options = await call.options()
    name = call.target.name
    current = call.store.get(call.resource.plural, call.namespace, name)
    if current is None:
        raise not_found(call.resource, name)
    return answer(remove(call, current, options))


async def delete_collection(call: Call) -> web.Response:
    """DELETE of all that the selectors choose."""
    options = await call.options()
    found = selected(call)
    for obj in found:
        remove(call, obj, options)
    return answer(
        {
            "kind": f"{call.resource.kind}List",
            "apiVersion": call.resource.api_version,
            "metadata": {"resourceVersion": str(call.store.history.version)},
            "items": found,
        }
    )


def remove(call: Call, current: Object, options: Object) -> Object:
    """Take one object away; the answer is what is left of it, or a Status."""
    precondition(call.resource, current, fields(options, "preconditions"))
    dry = is_dry(call, options)
    meta, plural = current["metadata"], call.resource.plural
    where = (plural, meta.get("namespace", ""), meta["name"])
    now, grace = call.store.now(), grace_wanted(call, options)
    if plural == "pods" and (seconds := grace_of(current, grace)):
        marked = call.store.update(
            *where, lambda pod: mark(pod, grace=seconds, now=now), dry_run=dry
        )
        return marked or current
    if plural == "namespaces" and meta["name"] in _LASTING:
        raise forbidden(call.resource, meta["name"], "this namespace may not be deleted")
    if plural == "namespaces" or items(meta, "finalizers"):
        at = stamp(now)
        marked = call.store.update(*where, lambda it: _doom(it, at), dry_run=dry)
        return marked or current
    if not dry:
        if _orphans(call, options):
            _release(call, str(meta["uid"]))
        call.store.delete(*where)
    if plural == "pods":
        return current
    return success(details=details_of(call.resource, meta["name"]) | {"uid": meta["uid"]})


def _doom(obj: Object, at: str) -> None:
    obj["metadata"].setdefault("deletionTimestamp", at)
    if obj.get("kind") == "Namespace":
        obj["status"] = {"phase": "Terminating"}


def _orphans(call: Call, options: Object) -> bool:
    asked = call.query.get("propagationPolicy") or dig(options, "propagationPolicy")
    return asked == "Orphan"


def _release(call: Call, uid: str) -> None:
    """What the object owns lives on without it."""
    for plural in ("replicasets", "pods", "endpoints"):
        for obj in call.store.list(plural):
            owners = items(obj, "metadata", "ownerReferences")
            left = [one for one in owners if one.get("uid") != uid]
            if left != owners:
                meta = obj["metadata"]

                def release(it: Object, left: list[Object] = left) -> None:
                    it["metadata"]["ownerReferences"] = left

                call.store.update(plural, meta["namespace"], meta["name"], release)
