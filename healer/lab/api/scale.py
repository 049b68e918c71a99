"""/scale: how many replicas are wanted (the new spec) and how many there are (the old status)."""

from aiohttp import web

from healer.lab.api import patch as patching
from healer.lab.api.call import Call, answer
from healer.lab.api.failure import bad_request, not_found
from healer.lab.api.selector import format_labels
from healer.lab.api.validation import check_replicas
from healer.lab.api.value import dig
from healer.lab.api.write import precondition
from healer.lab.contract import Object


def scale_of(obj: Object) -> Object:
    """The Scale of a workload."""
    meta = obj["metadata"]
    shown = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: meta[key] for key in shown if key in meta},
        "spec": {"replicas": dig(obj, "spec", "replicas") or 0},
        "status": {
            "replicas": dig(obj, "status", "replicas") or 0,
            "selector": format_labels(dig(obj, "spec", "selector")),
        },
    }


async def scale(call: Call) -> web.Response:
    """GET, PUT or PATCH."""
    match call.target.verb:
        case "get":
            found = call.store.get(call.resource.plural, call.namespace, call.target.name)
            if found is None:
                raise not_found(call.resource, call.target.name)
            return answer(scale_of(found))
        case "update":
            wanted = await call.object()
            return answer(_change(call, wanted))
        case _:
            patching.check_type(call.content_type)
            return answer(_change(call, await call.body(), patch=True))


def _change(call: Call, body: object, *, patch: bool = False) -> Object:
    name = call.target.name

    def write(current: Object) -> None:
        wanted = patching.apply(call.content_type, scale_of(current), body) if patch else body
        replicas = _replicas(call, current, wanted)
        current["spec"]["replicas"] = replicas

    found = call.store.update(
        call.resource.plural, call.namespace, name, write, dry_run=call.dry_run
    )
    if found is None:
        raise not_found(call.resource, name)
    return scale_of(found)


def _replicas(call: Call, current: Object, wanted: object) -> int:
    name = call.target.name
    named = dig(wanted, "metadata", "name")
    if named not in {None, name}:
        raise bad_request(f"the name of the object ({named}) does not match the URL ({name})")
    replicas: object = dig(wanted, "spec", "replicas")
    replicas = 0 if replicas is None else replicas
    check_replicas(name, replicas)
    precondition(call.resource, current, dig(wanted, "metadata") or {})
    return replicas if isinstance(replicas, int) else 0
