"""From an authorized request to the code that answers it."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from aiohttp import web

from healer.lab.api.call import Call
from healer.lab.api.eviction import evict
from healer.lab.api.execution import execute
from healer.lab.api.failure import method_not_allowed, no_such_path
from healer.lab.api.log import log
from healer.lab.api.proxy import proxy
from healer.lab.api.read import get, list_
from healer.lab.api.removal import delete, delete_collection
from healer.lab.api.resource import REVIEW
from healer.lab.api.review import review
from healer.lab.api.scale import scale
from healer.lab.api.watch import watch
from healer.lab.api.write import create, patch, update

Verb = Callable[[Call], Awaitable[web.StreamResponse]]

_VERBS: Mapping[str, Verb] = MappingProxyType(
    {
        "create": create,
        "delete": delete,
        "deletecollection": delete_collection,
        "get": get,
        "list": list_,
        "patch": patch,
        "update": update,
        "watch": watch,
    }
)
_STATUS: Mapping[str, Verb] = MappingProxyType({"get": get, "patch": patch, "update": update})
_PARTS: Mapping[str, Verb] = MappingProxyType(
    {
        "eviction": evict,
        "exec": execute,
        "log": log,
        "proxy": proxy,
        "scale": scale,
    }
)


async def dispatch(call: Call) -> web.StreamResponse:
    """Answer the call."""
    return await _verb(call)(call)


def _verb(call: Call) -> Verb:
    resource, target = call.resource, call.target
    if resource is REVIEW:
        return review
    if target.part:
        part = resource.subresource(target.part)
        if part is None:
            raise no_such_path()
        if target.verb not in part.verbs:
            raise method_not_allowed()
        return _STATUS[target.verb] if target.part == "status" else _PARTS[target.part]
    if resource.namespaced and not target.namespace and target.verb not in {"list", "watch"}:
        raise method_not_allowed()
    if target.verb not in resource.verbs or (target.verb == "create" and target.name):
        raise method_not_allowed()
    return _VERBS[target.verb]
