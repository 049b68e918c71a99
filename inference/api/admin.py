"""Admin endpoints: breaker, cache, live settings, drain. A key, or loopback where none is set.

The API has a key of its own; neither key opens what the other one guards.
"""

import asyncio
import ipaddress
import secrets
from math import isfinite
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from inference import evict
from inference.api.error import BadRequestError, body, json_body
from inference.parts import PARTS, Parts
from inference.settings import SettingsError
from inference.ssd import Ssd

routes = web.RouteTableDef()

_SSD_SECONDS = 60.0


@web.middleware
async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Nobody passes to these paths without the key; without a key only this machine does."""
    if not _is_admin(request):
        return await _api(request, handler)
    key = request.app[PARTS].settings.admin_key
    if not key:
        if _is_loopback(request.remote):
            return await handler(request)
        text = "admin endpoints are closed to other machines: set INFERENCE_ADMIN_KEY"
        return web.json_response(body(text, kind="permission_error"), status=403)
    given = _given_key(request, "X-Admin-Key").encode(errors="replace")
    if secrets.compare_digest(given, key.encode()):
        return await handler(request)
    text = "wrong or missing admin key: send Authorization: Bearer <key>, or X-Admin-Key: <key>"
    return _unauthorized(text)


async def _api(request: web.Request, handler: Handler) -> web.StreamResponse:
    """/v1 needs the API key where one is set; probes and metrics never do."""
    key = request.app[PARTS].settings.api_key
    if not key or not request.path.startswith("/v1"):
        return await handler(request)
    given = _given_key(request, "X-API-Key").encode(errors="replace")
    if secrets.compare_digest(given, key.encode()):
        return await handler(request)
    text = "wrong or missing API key: send Authorization: Bearer <key>, or X-API-Key: <key>"
    return _unauthorized(text)


def _unauthorized(text: str) -> web.Response:
    return web.json_response(
        body(text, kind="authentication_error", code="invalid_api_key"),
        status=401,
        headers={"WWW-Authenticate": "Bearer"},
    )


def _is_admin(request: web.Request) -> bool:
    """/admin, and whatever changes what is served."""
    changes_models = request.path.startswith("/v1/models/") and request.method != "GET"
    return request.path.startswith("/admin") or changes_models


def _given_key(request: web.Request, header: str) -> str:
    """Kubernetes' pod proxy keeps the Authorization header for itself: so there are two places."""
    if header in request.headers:
        return request.headers[header]
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return key if scheme == "Bearer" else ""


def _is_loopback(remote: str | None) -> bool:
    try:
        return ipaddress.ip_address(remote or "").is_loopback
    except ValueError:
        return False


def _ssd(parts: Parts) -> tuple[Ssd, Path]:
    if parts.ssd is None or parts.cache.folder is None:
        msg = "this server has no SSD volume (--ssd-dir)"
        raise BadRequestError(msg, code="no_ssd", status=404)
    return parts.ssd, parts.cache.folder


@routes.get("/admin/circuit-breaker/status")
async def breaker_status(request: web.Request) -> web.Response:
    """The SSD's breaker."""
    ssd, _ = _ssd(request.app[PARTS])
    return web.json_response({"ssd": _breaker(ssd)})


@routes.post("/admin/circuit-breaker/reset")
async def breaker_reset(request: web.Request) -> web.Response:
    """Close the breaker; new failures open it again."""
    ssd, _ = _ssd(request.app[PARTS])
    before = ssd.breaker.state.word
    ssd.breaker.reset()
    return web.json_response({"ssd": _breaker(ssd), "was": before})


def _breaker(ssd: Ssd) -> dict[str, object]:
    found = ssd.breaker.status()
    return {
        "state": found.state.word,
        "value": found.state.value,
        "protects": str(ssd.root),
        "consecutive_failures": found.failures,
        "times_opened": found.opened,
        "open_seconds": round(found.open_seconds, 3),
        "next_try_seconds": round(found.retry_seconds, 3),
        "last_error": found.last_error,
    }


@routes.get("/admin/cache")
async def cache(request: web.Request) -> web.Response:
    """Files and bytes of the cache on the SSD, and how much of it is older than asked."""
    ssd, folder = _ssd(request.app[PARTS])
    asked = request.query.get("older_than_seconds")
    try:
        older_than = None if asked is None else float(asked)
    except ValueError:
        older_than = -1.0
    _check_age(older_than)
    usage = await _on_ssd(ssd, folder, older_than, remove=False)
    content: dict[str, object] = {"files": usage.files, "bytes": usage.bytes}
    if older_than is not None:
        content |= {"older_files": usage.old_files, "older_bytes": usage.old_bytes}
    return web.json_response({**content, "free_bytes": _free(ssd)})


@routes.post("/admin/cache/evict")
async def cache_evict(request: web.Request) -> web.Response:
    """Remove cache files older than asked (all, if no age is given), or say what would go."""
    ssd, folder = _ssd(request.app[PARTS])
    data = await json_body(request)
    unknown = sorted(set(data) - {"older_than_seconds", "dry_run"})
    if unknown:
        msg = f"{unknown[0]} is not known: use older_than_seconds and dry_run"
        raise BadRequestError(msg, param=unknown[0])
    older_than = data.get("older_than_seconds")
    dry_run = data.get("dry_run", False)
    if not isinstance(dry_run, bool):
        msg = "dry_run must be true or false"
        raise BadRequestError(msg, param="dry_run")
    age = _check_age(older_than)
    usage = await _on_ssd(ssd, folder, age, remove=not dry_run)
    content: dict[str, object] = {
        "removed_files": usage.old_files,
        "removed_bytes": usage.old_bytes,
        "free_bytes": _free(ssd),
        "dry_run": dry_run,
    }
    return web.json_response(content)


def _check_age(value: object) -> float | None:
    if value is None:
        return None
    age = -1.0
    if isinstance(value, int | float) and not isinstance(value, bool):
        age = float(value)
    if not isfinite(age) or age < 0:
        msg = "older_than_seconds must be a number of at least 0"
        raise BadRequestError(msg, param="older_than_seconds")
    return age


async def _on_ssd(ssd: Ssd, folder: Path, older_than: float | None, *, remove: bool) -> evict.Usage:
    def work() -> evict.Usage:
        count = evict.evict if remove else evict.measure
        return count(folder, older_than=older_than)

    try:
        async with asyncio.timeout(_SSD_SECONDS):
            return await asyncio.wrap_future(ssd.direct(work))
    except (OSError, TimeoutError) as error:
        msg = f"the SSD did not answer: {str(error) or 'it took too long'}"
        raise BadRequestError(msg, code="ssd_failed", status=503) from error


def _free(ssd: Ssd) -> int | None:
    return None if ssd.space is None else ssd.space.free


@routes.get("/admin/config")
async def config(request: web.Request) -> web.Response:
    """The live settings."""
    return web.json_response(_config(request.app[PARTS]))


@routes.patch("/admin/config")
async def config_change(request: web.Request) -> web.Response:
    """Change live settings; they hold until changed again or until a restart."""
    parts = request.app[PARTS]
    try:
        parts.live.change(await json_body(request))
    except SettingsError as error:
        raise BadRequestError(str(error)) from error
    parts.admission.admit_waiting()
    return web.json_response(_config(parts))


def _config(parts: Parts) -> dict[str, object]:
    return {
        "maxNumSeqs": parts.live.max_num_seqs,
        "gpuMemoryUtilization": parts.live.gpu_memory_utilization,
        "applied": {
            "maxNumSeqs": "live",
            "gpuMemoryUtilization": "at a load; what is on a GPU is loaded again for it",
        },
    }


@routes.post("/admin/drain")
async def drain(request: web.Request) -> web.Response:
    """Take no new requests; what runs and waits is finished."""
    parts = request.app[PARTS]
    parts.admission.draining = True
    return web.json_response(_drain(parts))


@routes.post("/admin/resume")
async def resume(request: web.Request) -> web.Response:
    """Take requests again."""
    parts = request.app[PARTS]
    parts.admission.draining = False
    return web.json_response(_drain(parts))


def _drain(parts: Parts) -> dict[str, object]:
    found = parts.admission
    return {"draining": found.draining, "active": found.active, "queued": found.queued}
