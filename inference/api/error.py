"""Errors as OpenAI's API words them, and the middleware that turns ours into those."""

import json
import logging

from aiohttp import web
from aiohttp.typedefs import Handler

from inference.admission import DeadlineError, DrainingError, RejectedError
from inference.generation import GenerationError
from inference.metrics import category_of
from inference.parts import PARTS

log = logging.getLogger("inference.api")


class BadRequestError(Exception):
    """The client's fault; says which parameter and what would be right."""

    def __init__(
        self, message: str, *, param: str | None = None, code: str | None = None, status: int = 400
    ) -> None:
        super().__init__(message)
        self.param = param
        self.code = code
        self.status = status


class LoadingError(Exception):
    """The model is not there yet, or could not be loaded."""


def body(
    message: str, *, kind: str, param: str | None = None, code: str | None = None
) -> dict[str, object]:
    """The body of an error."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def answer(error: Exception) -> web.Response | None:
    """The response to an error that has one."""
    status, headers = 500, dict[str, str]()
    match error:
        case BadRequestError():
            kind = "invalid_request_error"
            content = body(str(error), kind=kind, param=error.param, code=error.code)
            status = error.status
        case DrainingError():
            content = body(str(error), kind="unavailable", code="draining")
            status, headers = 503, {"Retry-After": str(error.retry_after)}
        case RejectedError():
            content = body(str(error), kind="overloaded", code="overloaded")
            status, headers = error.status, {"Retry-After": str(error.retry_after)}
        case LoadingError():
            content = body(str(error), kind="unavailable", code="model_not_loaded")
            status, headers = 503, {"Retry-After": "5"}
        case DeadlineError():
            content = body(str(error), kind="timeout", code="deadline_exceeded")
            status = 504
        case GenerationError():
            content = body(str(error), kind="server_error", code="engine_error")
        case web.HTTPException():
            content = body(error.reason, kind="invalid_request_error")
            status = error.status
            headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else headers
        case _:
            return None
    return web.json_response(content, status=status, headers=headers)


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Word every error, and count those that are the server's."""
    try:
        return await handler(request)
    except Exception as error:
        response = answer(error)
        if response is None:
            log.exception("Request failed", extra={"event": "request_failed"})
            request.app[PARTS].metrics.error("engine")
            response = web.json_response(body("internal error", kind="server_error"), status=500)
        count(request, error)
        return response


def count(request: web.Request, error: Exception) -> None:
    """Errors that operators alert on."""
    metrics = request.app[PARTS].metrics
    match error:
        case RejectedError():
            metrics.error("overload")
        case GenerationError():
            metrics.error(category_of(str(error)))
        case BadRequestError() if request.path.startswith("/v1/"):
            metrics.requests.labels(status="invalid").inc()
        case _:
            return


async def json_body(request: web.Request) -> dict[str, object]:
    """The request's JSON object; an empty body is an empty object."""
    data = await request.read()
    if not data:
        return {}
    try:
        parsed: object = json.loads(data)
    except (ValueError, RecursionError) as error:
        msg = f"body is no JSON: {error}"
        raise BadRequestError(msg) from None
    if not isinstance(parsed, dict):
        msg = "body must be a JSON object"
        raise BadRequestError(msg)
    return {str(key): value for key, value in parsed.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - json says no more
