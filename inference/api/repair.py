"""Admin endpoints of the model's files: what is wrong with them, and the restore."""

from aiohttp import web

from inference.api.error import BadRequestError, json_body
from inference.parts import PARTS
from inference.repair import Examined, Repair
from inference.restore import RestoreError

routes = web.RouteTableDef()

_LATER = 202


@routes.get("/admin/model")
async def model(request: web.Request) -> web.Response:
    """Every byte of the model and of its backup is read; 202 while that is not done yet."""
    repair = request.app[PARTS].repair
    found = await repair.look()
    if found is None:
        return web.json_response({**_places(repair), "examining": True}, status=_LATER)
    return web.json_response({**_places(repair), "examining": False, **_shown(found)})


@routes.post("/admin/model/restore")
async def restore(request: web.Request) -> web.Response:
    """Put bad files right from the backup, or say what that would do; 202 while it goes on."""
    repair = request.app[PARTS].repair
    data = await json_body(request)
    dry_run = data.get("dry_run", False)
    if set(data) - {"dry_run"} or not isinstance(dry_run, bool):
        msg = "the only thing to say is dry_run, which is true or false"
        raise BadRequestError(msg, param="dry_run")
    try:
        if dry_run:
            planned = await repair.rehearse()
            content = {"files": planned.files, "bytes": planned.bytes, "quarantined": []}
            return web.json_response({**_places(repair), **content, "dry_run": True})
        done = await repair.restore()
    except RestoreError as error:
        raise BadRequestError(str(error), code=f"restore_{error.cause}", status=409) from error
    if done is None:
        return web.json_response(_places(repair), status=_LATER)
    told = {"files": done.files, "bytes": done.bytes, "quarantined": done.quarantined}
    return web.json_response({**_places(repair), **told, "dry_run": False})


def _places(repair: Repair) -> dict[str, object]:
    return {
        "folder": str(repair.folder),
        "backup": None if repair.backup is None else str(repair.backup),
        "restoring": repair.restoring,
    }


def _shown(found: Examined) -> dict[str, object]:
    return {
        "sealed": found.sealed,
        "sound": not found.faults,
        "faults": [
            {"file": each.file, "reason": each.reason.value, "text": each.text}
            for each in found.faults
        ],
        "restorable": not found.cause,
        "cause": found.cause,
        "refusal": found.refusal,
        "files": found.files,
        "bytes": found.bytes,
    }
