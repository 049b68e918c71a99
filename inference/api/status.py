"""GET /health and its kin, and GET /metrics. None of them waits for anything."""

from aiohttp import web

from inference.component import Component, Status
from inference.engine import State
from inference.parts import PARTS

routes = web.RouteTableDef()


def _plain(component: Component) -> dict[str, object]:
    told: dict[str, object] = {"status": component.status.word}
    if component.message:
        told["message"] = component.message
    told |= component.numbers
    if component.devices:
        told["devices"] = [dict(each) for each in component.devices]
    return told


@routes.get("/health")
async def health(request: web.Request) -> web.Response:
    """200 while the engine makes progress or has nothing to do."""
    found = request.app[PARTS].health
    good = found.alive() and found.model().status is Status.HEALTHY
    judgement = found.degradation.now
    worst = max(component.status for component in found.components().values())
    content: dict[str, object] = {
        "status": worst.word if good else Status.CRITICAL.word,
        "mode": judgement.mode.word,
        "reasons": list(judgement.reasons),
    }
    return web.json_response(content, status=200 if good else 503)


@routes.get("/health/startup")
async def startup(request: web.Request) -> web.Response:
    """200 once the model is loaded."""
    progress = request.app[PARTS].models.progress()
    loaded = progress.state is State.READY
    content: dict[str, object] = {"status": progress.state.value, "message": progress.failure}
    return web.json_response(content, status=200 if loaded else 503)


@routes.get("/health/liveness")
async def liveness(request: web.Request) -> web.Response:
    """503 only for what a restart cures: a dead or stalled engine. Load never fails it."""
    found = request.app[PARTS].health
    alive = found.alive()
    component = found.engine()
    return web.json_response(_plain(component), status=200 if alive else 503)


@routes.get("/health/readiness")
async def readiness(request: web.Request) -> web.Response:
    """200 when traffic may come."""
    parts = request.app[PARTS]
    ready = parts.health.ready()
    content: dict[str, object] = {
        "status": "ready" if ready else "not ready",
        "state": parts.models.progress().state.value,
        "draining": parts.admission.draining,
        "stalled": parts.health.stalled(),
    }
    return web.json_response(content, status=200 if ready else 503)


@routes.get("/health/components")
async def components(request: web.Request) -> web.Response:
    """Every part with its status and numbers."""
    found = request.app[PARTS].health
    parts = found.components()
    judgement = found.degradation.now
    content: dict[str, object] = {
        "status": max(component.status for component in parts.values()).word,
        "degradation": {"mode": judgement.mode.word, "reasons": list(judgement.reasons)},
        "components": {name: _plain(component) for name, component in parts.items()},
    }
    return web.json_response(content)


@routes.get("/metrics")
async def metrics(request: web.Request) -> web.Response:
    """The page that Prometheus reads."""
    text = request.app[PARTS].metrics.text()
    kind = "text/plain; version=0.0.4; charset=utf-8"
    return web.Response(body=text, headers={"Content-Type": kind})
