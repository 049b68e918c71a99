"""Running a command in a container, over a WebSocket with the channels of `v4.channel.k8s.io`.

The library's own reading of it is not used: it merges the streams, loses the exit code and breaks
characters that fall on two frames.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import aiohttp

from healer.client.kubernetes.refusal import Status, parse_status
from healer.client.kubernetes.session import Session, path
from healer.errors import RejectedError, UnavailableError

_STDIN = b"\x00"
_STDOUT = 1
_STDERR = 2
_ERROR = 3
_EXIT_CODE = "ExitCode"
_LIMIT = 256 * 1024
_CHUNK = 32 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """What a command said and how it ended. `cut`: it said more than was kept."""

    exit_code: int
    stdout: str
    stderr: str
    cut: bool = False


@dataclass(slots=True, kw_only=True)
class _Channels:
    """Bytes by channel: decoded only at the end, for a frame may end inside a character."""

    limit: int
    kept: dict[int, bytearray] = field(default_factory=dict[int, bytearray])
    cut: bool = False

    def take(self, frame: bytes) -> None:
        if not frame:
            return
        kept = self.kept.setdefault(frame[0], bytearray())
        room = self.limit - len(kept)
        self.cut = self.cut or len(frame) - 1 > room
        kept += frame[1 : 1 + max(0, room)]

    def text(self, channel: int) -> str:
        return bytes(self.kept.get(channel, b"")).decode("utf-8", "replace")

    @property
    def verdict(self) -> bytes:
        return bytes(self.kept.get(_ERROR, b""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run, in which container, and what is fed to it.

    `stdin` has no end there: the channels of `v4` cannot say it. The command must know how much to
    read.
    """

    words: Sequence[str]
    container: str = ""
    stdin: bytes = b""


async def execute(
    session: Session, namespace: str, pod: str, *, command: Command, timeout: timedelta
) -> Executed:
    """Run a command. Both streams are read to their end, or up to 256 KiB each.

    An UnavailableError where it does not end in time or the connection breaks: nobody knows then
    whether the command went on.
    """
    doing = f"exec in pod {namespace}/{pod}"
    query = [("command", word) for word in command.words]
    query += [("stdout", "true"), ("stderr", "true")]
    query += [("container", command.container)] if command.container else []
    query += [("stdin", "true")] if command.stdin else []
    where = path("api/v1/namespaces", namespace, "pods", pod, "exec")
    channels = _Channels(limit=_LIMIT)
    async with (
        session.socket(doing, where, query) as socket,
        asyncio.timeout(timeout.total_seconds()),
    ):
        for start in range(0, len(command.stdin), _CHUNK):
            await socket.send_bytes(_STDIN + command.stdin[start : start + _CHUNK])
        async for message in socket:
            _take(channels, message)
    return _executed(channels, doing=doing)


def _take(channels: _Channels, message: aiohttp.WSMessage) -> None:
    match message.type:
        case aiohttp.WSMsgType.BINARY:
            channels.take(message.data)
        case aiohttp.WSMsgType.TEXT:
            channels.take(str(message.data).encode())
        case _:
            pass


def _executed(channels: _Channels, *, doing: str) -> Executed:
    return Executed(
        exit_code=_exit_code(parse_status(channels.verdict), doing=doing),
        stdout=channels.text(_STDOUT),
        stderr=channels.text(_STDERR),
        cut=channels.cut,
    )


def _exit_code(told: Status, *, doing: str) -> int:
    """The code of a command that ran; an error where it never did, or nobody told."""
    if told.status == "Success":
        return 0
    for cause in told.details.causes:
        if cause.reason == _EXIT_CODE and cause.message.isdigit():
            return int(cause.message)
    if told.status:
        message = f"{doing}: {told.message or 'the command could not be started'}"
        raise RejectedError(message, reason=told.reason)
    message = f"{doing}: the connection ended before the command's exit code came"
    raise UnavailableError(message)
