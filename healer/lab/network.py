"""The address of a Service: a TCP forwarder to its ready endpoints, taken in turn.

What kube-proxy does, on loopback. While no endpoint is ready nothing listens: clients are refused.
"""

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field

from healer.lab.contract import Cluster, Object
from healer.lab.node.field import entries, text

Endpoint = tuple[str, int]

RESET = struct.pack("ii", 1, 0)
"""Closes a connection with a reset: a clean end would look like an empty answer."""


@dataclass(slots=True, kw_only=True)
class _Forwarder:
    """Accepts connections and hands each to the next endpoint that takes it."""

    host: str
    port: int
    endpoints: list[Endpoint] = field(default_factory=list[Endpoint])
    _server: asyncio.Server | None = None
    _open: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _turn: int = 0

    async def serve(self, endpoints: list[Endpoint]) -> None:
        """Forward to these from now on; with none, refuse. Open connections stay."""
        self.endpoints = endpoints
        if endpoints and self._server is None:
            self._server = await asyncio.start_server(self._accept, self.host, self.port)
        elif not endpoints and self._server is not None:
            self._server.close()
            self._server = None

    async def stop(self) -> None:
        """Refuse, and cut what is open."""
        await self.serve([])
        open_now = tuple(self._open)
        for task in open_now:
            task.cancel()
        if open_now:
            await asyncio.wait(open_now)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a connection is always handled by a task")
        self._open.add(task)
        try:
            await self._forward(reader, writer)
        except asyncio.CancelledError:
            return  # only `stop` cancels; streams would log it as an error of the callback
        finally:
            self._open.discard(task)
            writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await self._connect()
        if there is None:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()
            return
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_copy(reader, there[1]))
                group.create_task(_copy(there[0], writer))
        finally:
            there[1].close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """The next endpoint that answers, each tried once."""
        for _ in tuple(self.endpoints):
            self._turn += 1
            host, port = self.endpoints[self._turn % len(self.endpoints)]
            with contextlib.suppress(OSError):
                return await asyncio.open_connection(host, port)
        return None


class ServiceProxy:
    """A Service of the cluster on a loopback address; `run` is its life."""

    def __init__(
        self, cluster: Cluster, namespace: str, service: str, *, host: str = "127.0.0.1"
    ) -> None:
        self._cluster = cluster
        self._key = (namespace, service)
        # Chosen now, so that the address can be told before anything is ready; kept while nobody
        # listens, or a connection that somebody opens could be given this very port.
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind((host, 0))
        self._forwarder = _Forwarder(host=host, port=self._reserved.getsockname()[1])

    @property
    def address(self) -> str:
        """Where clients connect, now or once an endpoint is ready: host:port."""
        return f"{self._forwarder.host}:{self._forwarder.port}"

    @property
    def url(self) -> str:
        """The same, for a service that speaks HTTP."""
        return f"http://{self.address}"

    async def run(self) -> None:
        """Follow the Service's Endpoints for ever."""
        try:
            async for change in self._cluster.watch("endpoints"):
                meta = change.object["metadata"]
                if (meta["namespace"], meta["name"]) == self._key:
                    gone = change.type == "DELETED"
                    await self._forwarder.serve([] if gone else ready(change.object))
        finally:
            await self._forwarder.stop()
            self._reserved.close()


def ready(endpoints: Object) -> list[Endpoint]:
    """The ready addresses of an Endpoints object, each with the first port of its subset."""
    found: list[Endpoint] = []
    for subset in entries(endpoints, "subsets"):
        for port in entries(subset, "ports")[:1]:
            found += [(text(at, "ip"), int(port["port"])) for at in entries(subset, "addresses")]
    return found


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until one side ends; the other is told, so that half-closed connections work."""
    with contextlib.suppress(OSError):  # a reset is told by more than one kind of it
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
