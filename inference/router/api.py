"""The router's HTTP edge: the OpenAI endpoints that it forwards, /experts, health and metrics."""

import logging
import time
from dataclasses import dataclass
from typing import cast
from uuid import uuid4

from aiohttp import web
from aiohttp.typedefs import Handler

from inference.api.error import answer, body, json_body
from inference.component import Component
from inference.router.choice import Chooser
from inference.router.classifier import Classifier
from inference.router.forward import Forwarder, NowhereError, Order
from inference.router.health import Health
from inference.router.metrics import Metrics
from inference.router.probe import Watched
from inference.router.settings import Experts

log = logging.getLogger("inference.router")
routes = web.RouteTableDef()


@dataclass(slots=True, kw_only=True)
class Parts:
    """The parts of one router, as its edge sees them."""

    experts: Experts
    watched: dict[str, Watched]
    classifier: Classifier
    chooser: Chooser
    forwarder: Forwarder
    health: Health
    metrics: Metrics


PARTS: web.AppKey[Parts] = web.AppKey("router", Parts)


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Word every error as OpenAI's API does."""
    try:
        return await handler(request)
    except NowhereError as error:
        log.error("Routing failed: %s", error, extra={"event": "routing_failed"})  # noqa: TRY400 - the text says it
        told = body(str(error), kind="unavailable", code="no_expert")
        return web.json_response(told, status=502, headers={"Retry-After": "5"})
    except Exception as error:
        response = answer(error)
        if response is None:
            log.exception("Request failed", extra={"event": "request_failed"})
            response = web.json_response(body("internal error", kind="server_error"), status=500)
        return response


@routes.post("/v1/completions")
@routes.post("/v1/chat/completions")
async def complete(request: web.Request) -> web.StreamResponse:
    """Choose an expert by the prompt, or take the one that `model` names."""
    parts, asked = request.app[PARTS], await json_body(request)
    name = str(request.headers.get("X-Request-Id", "")) or f"route-{uuid4().hex}"
    started = time.monotonic()
    model = asked.get("model")
    choice = await parts.chooser.choose(
        asked=model if isinstance(model, str) else None, text=text_of(asked)
    )
    seconds = time.monotonic() - started
    parts.metrics.latency.observe(seconds)
    log.info(
        "Request routed",
        extra={
            "event": "routing", "id": name, "expert": choice.expert, "reason": choice.reason,
            "score": choice.score, "detail": choice.detail, "seconds": round(seconds, 4),
        },
    )  # fmt: skip
    return await parts.forwarder.send(request, Order(id=name, body=asked, choice=choice))


def text_of(asked: dict[str, object]) -> str:
    """What a request is about: its prompt, or the last thing the user said; tokens say nothing."""
    prompt = asked.get("prompt")
    if isinstance(prompt, list) and len(cast("list[object]", prompt)) == 1:
        prompt = cast("list[object]", prompt)[0]
    if isinstance(prompt, str):
        return prompt
    spoken = [
        message for message in _objects(asked.get("messages")) if message.get("role") == "user"
    ]
    return _content(spoken[-1].get("content")) if spoken else ""


def _content(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = [part for part in _objects(content) if part.get("type") == "text"]
    return " ".join(str(part.get("text", "")) for part in parts)


def _objects(value: object) -> list[dict[str, object]]:
    """The objects of a list; nothing of what is no list."""
    if not isinstance(value, list):
        return []
    found = cast("list[object]", value)
    return [cast("dict[str, object]", each) for each in found if isinstance(each, dict)]


@routes.get("/v1/models")
async def models(request: web.Request) -> web.Response:
    """What may be asked for by name."""
    names = request.app[PARTS].watched
    data = [{"id": name, "object": "model", "owned_by": "router"} for name in names]
    return web.json_response({"object": "list", "data": data})


@routes.get("/experts")
async def experts(request: web.Request) -> web.Response:
    """Every expert and how it is."""
    parts = request.app[PARTS]
    now = time.monotonic()
    listed: list[dict[str, object]] = [
        {
            "name": name,
            "status": each.standing,
            "message": each.message,
            "url": each.expert.url,
            "health": each.expert.url + each.expert.health,
            "fallback": name == parts.experts.fallback,
            "probe_seconds": round(each.seconds, 4),
            "seconds_since_probe": None if each.looked is None else round(now - each.looked, 3),
        }
        for name, each in parts.watched.items()
    ]
    classifier = {
        "state": parts.classifier.state,
        "message": parts.classifier.failure,
        "next_try_seconds": round(parts.classifier.next_try_seconds(), 3),
    }
    return web.json_response({"experts": listed, "classifier": classifier})


@routes.get("/health")
async def health(request: web.Request) -> web.Response:
    """200 while somebody can answer; the status says whether all is as it should be."""
    found = request.app[PARTS].health
    components = found.components()
    worst = max(component.status for component in components.values())
    reasons = [each.message for each in components.values() if each.message]
    content = {"status": worst.word, "reasons": reasons}
    return web.json_response(content, status=200 if found.reachable() else 503)


@routes.get("/health/startup")
@routes.get("/health/readiness")
async def readiness(request: web.Request) -> web.Response:
    """200 when traffic may come."""
    found = request.app[PARTS].health
    ready = found.ready()
    content = {"status": "ready" if ready else "not ready"}
    return web.json_response(content, status=200 if ready else 503)


@routes.get("/health/liveness")
async def liveness(request: web.Request) -> web.Response:
    """That it answers is what is asked."""
    del request
    return web.json_response({"status": "healthy"})


@routes.get("/health/components")
async def components(request: web.Request) -> web.Response:
    """Every part with its status and numbers."""
    found = request.app[PARTS].health.components()
    content: dict[str, object] = {
        "status": max(component.status for component in found.values()).word,
        "components": {name: plain(component) for name, component in found.items()},
    }
    return web.json_response(content)


def plain(component: Component) -> dict[str, object]:
    """As JSON."""
    told: dict[str, object] = {"status": component.status.word}
    if component.message:
        told["message"] = component.message
    return told | component.numbers


@routes.get("/metrics")
async def metrics(request: web.Request) -> web.Response:
    """The page that Prometheus reads."""
    kind = "text/plain; version=0.0.4; charset=utf-8"
    return web.Response(body=request.app[PARTS].metrics.text(), headers={"Content-Type": kind})
