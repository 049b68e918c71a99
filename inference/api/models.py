"""GET /v1/models, and loading, swapping and unloading models (these two need the admin key)."""

import asyncio

from aiohttp import web

from inference.api.error import BadRequestError, json_body
from inference.held import LoadFailedError
from inference.models import BusyError, UnknownModelError
from inference.parts import PARTS
from inference.serving import Serving

routes = web.RouteTableDef()


@routes.get("/v1/models")
async def models(request: web.Request) -> web.Response:
    """The one model that is served; none while there is none."""
    serving = request.app[PARTS].serving
    data = [] if serving is None else [_shown(serving)]
    return web.json_response({"object": "list", "data": data})


@routes.get("/v1/models/{name}")
async def model(request: web.Request) -> web.Response:
    """One model."""
    serving, name = request.app[PARTS].serving, request.match_info["name"]
    if serving is None or serving.name != name:
        raise _unknown(f"model {name!r} is not served here")
    return web.json_response(_shown(serving))


@routes.post("/v1/models/{name}/load")
async def load(request: web.Request) -> web.Response:
    """Load a model in place of the present one, which serves until the new one is proved sound.

    Answers when that is done; with `{"wait": false}` at once (202), /v1/models tells the rest.
    """
    parts, name = request.app[PARTS], request.match_info["name"]
    wait = (await json_body(request)).get("wait", True)
    try:
        loading = parts.models.load(name)
        if wait is False:
            return web.json_response({"model": name, "state": "loading"}, status=202)
        # The load goes on although the client may leave.
        done = await asyncio.shield(loading)
    except UnknownModelError as error:
        raise _unknown(str(error)) from None
    except BusyError as error:
        raise BadRequestError(str(error), param="model", code="busy", status=409) from None
    except LoadFailedError as error:
        serving = parts.serving
        rest = "nothing is served" if serving is None else f"{serving.name!r} serves on"
        msg = f"model {name!r} was not taken, {rest}: {error}"
        raise BadRequestError(msg, param="model", code="load_failed", status=409) from None
    told = {"model": done.name, "state": "loaded", "seconds": done.seconds}
    return web.json_response({**told, "replaced": done.replaced})


@routes.post("/v1/models/{name}/unload")
async def unload(request: web.Request) -> web.Response:
    """Free the model's memory once the requests that have begun are through; take no new ones."""
    parts, name = request.app[PARTS], request.match_info["name"]
    try:
        finishing = parts.models.unload(name)
    except UnknownModelError as error:
        raise _unknown(str(error)) from None
    except BusyError as error:
        raise BadRequestError(str(error), param="model", code="busy", status=409) from None
    return web.json_response({"model": name, "state": "unloaded", "finishing": finishing})


def _shown(serving: Serving) -> dict[str, object]:
    shown: dict[str, object] = {"id": serving.name, "object": "model", "owned_by": "local"}
    return {**shown, "created": serving.created, "max_model_len": serving.context}


def _unknown(text: str) -> BadRequestError:
    return BadRequestError(text, param="model", code="model_not_found", status=404)
