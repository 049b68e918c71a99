"""pods/log: what a container wrote, and with `follow` what it goes on to write."""

import asyncio

from aiohttp import web

from healer.lab.api.call import Call
from healer.lab.api.failure import bad_request, not_found
from healer.lab.api.read import number
from healer.lab.api.target import TRUE
from healer.lab.api.value import dig, items
from healer.lab.contract import Object

_LOOK_AGAIN = 1.0


async def log(call: Call) -> web.StreamResponse:
    """GET of a pod's log."""
    pod = find_pod(call)
    container_of(pod, call.query.get("container", ""))
    data = await _read(call)
    limit = call.query.get("limitBytes")
    if limit:
        data = data[: number(limit)]
    if call.query.get("follow", "") not in TRUE:
        return web.Response(body=data, content_type="text/plain")
    return await _follow(call, data)


def find_pod(call: Call) -> Object:
    """The pod that the path names."""
    pod = call.store.get("pods", call.namespace, call.target.name)
    if pod is None:
        raise not_found(call.resource, call.target.name)
    return pod


def container_of(pod: Object, wanted: str) -> Object:
    """The container asked for, or the first."""
    containers = items(pod, "spec", "containers")
    for container in containers:
        if wanted in {"", container.get("name")}:
            found: Object = container
            return found
    name = pod["metadata"]["name"]
    raise bad_request(f"container {wanted} is not valid for pod {name}")


async def _read(call: Call) -> bytes:
    previous = call.query.get("previous", "") in TRUE
    lines = call.query.get("tailLines")
    tail = None if lines is None else number(lines)
    name = call.target.name
    try:
        return await call.node.logs(call.namespace, name, previous=previous, tail=tail)
    except LookupError as error:
        container = call.query.get("container") or "container"
        if previous:
            message = f'previous terminated container "{container}" in pod "{name}" not found'
        else:
            message = f'container "{container}" in pod "{name}" is waiting to start: {error}'
        raise bad_request(message) from error


async def _follow(call: Call, data: bytes) -> web.StreamResponse:
    """Send what is there, then what is added, until the pod is no more or has ended."""
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    response.enable_chunked_encoding()
    await response.prepare(call.request)
    await response.write(data)
    where = (call.namespace, call.target.name)
    seen = len(await _all(call))
    while True:
        pod = call.store.get("pods", *where)
        await asyncio.sleep(_LOOK_AGAIN)
        now = await _all(call)
        # A shorter log is that of a new life: all of it is new.
        fresh = now[seen:] if len(now) >= seen else now
        seen = len(now)
        if fresh:
            await response.write(fresh)
        if pod is None or dig(pod, "status", "phase") in {"Succeeded", "Failed"}:
            await response.write_eof()
            return response


async def _all(call: Call) -> bytes:
    try:
        return await call.node.logs(call.namespace, call.target.name)
    except LookupError:
        return b""
