"""pods/exec over WebSocket: channels 0 to 2 are the streams, 3 tells how it ended, 255 closes."""

import asyncio

import orjson
from aiohttp import WSMsgType, web

from healer.lab.api.call import Call
from healer.lab.api.failure import ApiError, bad_request, success
from healer.lab.api.log import container_of, find_pod
from healer.lab.api.target import TRUE
from healer.lab.api.value import dig
from healer.lab.contract import Object, Process

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_STDIN, _ERROR, _CLOSE = 0, 3, 255
_CHUNK = 32 * 1024
_BEFORE_FRAMES = 0.05
"""Seconds. An older kubectl may throw away what comes before it has made its streams, and says
"Unknown stream id" (kubernetes/kubernetes#131189). A kubelet is never that quick."""


async def execute(call: Call) -> web.StreamResponse:
    """Upgrade, run the command, tell its exit status."""
    command = call.request.query.getall("command", [])
    _check(call, command)
    try:
        process = await call.node.exec(call.namespace, call.target.name, command)
    except LookupError as error:
        raise ApiError(500, "InternalError", f"Internal error occurred: {error}") from error
    socket = web.WebSocketResponse(protocols=PROTOCOLS, max_msg_size=0, heartbeat=30)
    ended = None
    try:
        await socket.prepare(call.request)
        ended = await _converse(call, socket, process)
    finally:
        if ended is None:
            await process.kill()
    if ended is not None and not socket.closed:
        await socket.send_bytes(bytes([_ERROR]) + orjson.dumps(ended))
        await socket.close()
    return socket


def _check(call: Call, command: list[str]) -> None:
    pod = find_pod(call)
    container_of(pod, call.query.get("container", ""))
    if not command:
        raise bad_request("you must specify at least 1 command for the container")
    if call.request.headers.get("Upgrade", "").lower() != "websocket":
        raise bad_request("Upgrade request required")
    offered = {
        one.strip() for one in call.request.headers.get("Sec-WebSocket-Protocol", "").split(",")
    }
    if not offered & set(PROTOCOLS):
        raise bad_request(f"unable to upgrade: supported subprotocols are {', '.join(PROTOCOLS)}")
    if dig(pod, "status", "phase") in {"Succeeded", "Failed"}:
        phase, name = pod["status"]["phase"], pod["metadata"]["name"]
        message = f"cannot exec into a container in a completed pod; current phase is {phase}"
        raise ApiError(500, "InternalError", f"{message} ({name})")


async def _converse(call: Call, socket: web.WebSocketResponse, process: Process) -> Object | None:
    """Both ways at once; the Status at the end, None where the caller has gone."""
    if call.query.get("stdin", "") not in TRUE:
        await process.write(b"")
    ended = None
    try:
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(_read(socket, process))
            ended = _status(await _write(call, socket, process))
            reading.cancel()
    except* _GoneError:
        ended = None
    return ended


class _GoneError(Exception):
    """The caller closed the connection."""


async def _read(socket: web.WebSocketResponse, process: Process) -> None:
    async for message in socket:
        if message.type is not WSMsgType.BINARY or not message.data:
            continue
        channel, data = message.data[0], message.data[1:]
        if channel == _STDIN and data:
            await process.write(data)
        elif channel == _CLOSE and data[:1] == bytes([_STDIN]):
            await process.write(b"")
    raise _GoneError


async def _write(call: Call, socket: web.WebSocketResponse, process: Process) -> int:
    wanted = {
        number for number, name in ((1, "stdout"), (2, "stderr")) if call.query.get(name) in TRUE
    }
    await asyncio.sleep(_BEFORE_FRAMES)
    # The first frames of the real server: empty ones, which open the channels.
    for number in sorted(wanted):
        await _send(socket, number, b"")
    async for number, data in process.output():
        for start in range(0, len(data), _CHUNK):
            if number in wanted:
                await _send(socket, number, data[start : start + _CHUNK])
    return await process.wait()


async def _send(socket: web.WebSocketResponse, channel: int, data: bytes) -> None:
    try:
        await socket.send_bytes(bytes([channel]) + data)
    except (ConnectionError, RuntimeError) as error:
        raise _GoneError from error


def _status(code: int) -> Object:
    if code == 0:
        return {key: success()[key] for key in ("metadata", "status")}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }
