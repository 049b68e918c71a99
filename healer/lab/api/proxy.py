"""pods/proxy and services/proxy: any request passed on to a pod, the answer passed back."""

import io
from collections.abc import Mapping

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from healer.lab.api.call import Call
from healer.lab.api.failure import ApiError, bad_request, not_found
from healer.lab.api.value import dig, items
from healer.lab.contract import Object

_HOP = frozenset({
    "authorization", "connection", "content-length", "host", "keep-alive", "te", "trailer",
    "transfer-encoding", "upgrade", "content-encoding", "accept-encoding",
})  # fmt: skip
_TIMEOUT = aiohttp.ClientTimeout(connect=5, sock_read=300)


async def proxy(call: Call) -> web.StreamResponse:
    """Any method, any path."""
    scheme, name, port = split(call.target.name)
    where = _pod_address if call.resource.plural == "pods" else _service_address
    host, number = where(call, name, port)
    url = f"{scheme}://{host}:{number}/{call.target.rest}"
    try:
        return await _pass(call, url)
    except aiohttp.ClientConnectionError as error:
        message = f"error trying to reach service: {error}"
        raise ApiError(503, "ServiceUnavailable", message) from error


def split(name: str) -> tuple[str, str, str]:
    """`name`, `name:port` or `scheme:name:port`."""
    match name.split(":"):
        case [only]:
            return "http", only, ""
        case [plain, port]:
            return "http", plain, port
        case ["http" | "https" as scheme, plain, port]:
            return scheme, plain, port
        case _:
            raise bad_request(f'invalid proxy name "{name}"')


def _pod_address(call: Call, name: str, port: str) -> tuple[str, int]:
    pod = call.store.get("pods", call.namespace, name)
    if pod is None:
        raise not_found(call.resource, name)
    address = dig(pod, "status", "podIP")
    if not address:
        raise bad_request(f'address not allowed: pod "{name}" has no address yet')
    return str(address), _pod_port(pod, port)


def _pod_port(pod: Object, wanted: str) -> int:
    if wanted.isdigit():
        return int(wanted)
    for container in items(pod, "spec", "containers"):
        for port in items(container, "ports"):
            if wanted in {"", port.get("name")}:
                return int(port["containerPort"])
    return 80


def _service_address(call: Call, name: str, wanted: str) -> tuple[str, int]:
    service = call.store.get("services", call.namespace, name)
    if service is None:
        raise not_found(call.resource, name)
    ports = items(service, "spec", "ports")
    port = next((p for p in ports if wanted in {"", p.get("name"), str(p.get("port"))}), None)
    if port is None:
        raise ApiError(503, "ServiceUnavailable", f'no service port "{wanted}" found for "{name}"')
    endpoints = call.store.get("endpoints", call.namespace, name)
    for subset in items(endpoints, "subsets"):
        for number in items(subset, "ports"):
            for address in items(subset, "addresses"):
                if number.get("name", "") == port.get("name", ""):
                    return str(address["ip"]), int(number["port"])
    raise ApiError(503, "ServiceUnavailable", f'no endpoints available for service "{name}"')


async def _pass(call: Call, url: str) -> web.StreamResponse:
    request = call.request
    body = await request.read()
    async with (
        aiohttp.ClientSession(timeout=_TIMEOUT, auto_decompress=False) as session,
        session.request(
            request.method,
            url,
            params=request.query,
            headers=_kept(request.headers),
            data=io.BytesIO(body) if body else None,
            allow_redirects=False,
        ) as found,
    ):
        response = web.StreamResponse(status=found.status, headers=_kept(found.headers))
        await response.prepare(request)
        async for chunk in found.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
        return response


def _kept(headers: Mapping[str, str] | CIMultiDictProxy[str]) -> CIMultiDict[str]:
    kept = ((key, value) for key, value in headers.items() if key.lower() not in _HOP)
    return CIMultiDict(kept)
