"""Gives every API request its identity and its span; the outermost of the middlewares."""

from aiohttp import web
from aiohttp.typedefs import Handler

from inference.identity import CURRENT, Identity, identity_of
from inference.parts import PARTS

HEADER = "X-Request-Id"


@web.middleware
async def identified(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Probes and scrapes have none: they would only bury the rest."""
    if not request.path.startswith("/v1/"):
        return await handler(request)
    given = identity_of(request.headers.get(HEADER), request.headers.get("traceparent"))
    resource = request.match_info.route.resource
    name = f"{request.method} {'unknown' if resource is None else resource.canonical}"
    with request.app[PARTS].tracer.span(name, request.headers) as (span, trace):
        identity = Identity(request=given.request, trace=trace or given.trace, span=span)
        token = CURRENT.set(identity)
        try:
            response = await handler(request)
            span.set_attribute("http.response.status_code", response.status)
            if not response.prepared:
                response.headers[HEADER] = given.request
            return response
        finally:
            CURRENT.reset(token)


async def named(request: web.Request, response: web.StreamResponse) -> None:
    """Put the id on an answer that goes out while it is still being made."""
    del request
    identity = CURRENT.get()
    if identity is not None:
        response.headers[HEADER] = identity.request
