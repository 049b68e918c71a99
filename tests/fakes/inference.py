"""Inference servers with state, as healer sees them: one a pod, each on an address of its own.

A contract test (tests/client/test_inference.py) holds their answers to those of the real server.
"""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

KEY = "key-of-the-admin"


@dataclass(slots=True, kw_only=True)
class FakeServer:
    """One server. `cache` holds (age in seconds, bytes) of each file; pods may share the list.

    `faults` are those of its model, `cause` is why nothing can be restored, `reading` is how many
    more times it answers that it is not done yet.
    """

    key: str = KEY
    limit: int = 256
    breaker: str = "closed"
    ssd: str = "healthy"
    cache: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    faults: list[str] = field(default_factory=list[str])
    cause: str = ""
    reading: int = 0
    status: int = 200
    asked: list[str] = field(default_factory=list[str])

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One request."""
        self.asked.append(f"{request.method} {request.path}")
        if self.status != 200:
            return _error(self.status, "not now", "overloaded")
        if request.path.startswith("/admin") and request.headers.get("X-Admin-Key") != self.key:
            return _error(401, "wrong or missing admin key", "invalid_api_key")
        if request.path.startswith("/admin/model") and self.reading:
            self.reading -= 1
            return web.json_response({"folder": "/models/default"}, status=202)
        if self.asked[-1] == "POST /admin/model/restore" and self.cause:
            return _error(409, f"the {self.cause} forbids it", f"restore_{self.cause}")
        pages = {
            "GET /admin/circuit-breaker/status": self._breakers,
            "POST /admin/circuit-breaker/reset": self._reset,
            "GET /health/components": self._components,
            "GET /admin/cache": self._usage,
            "POST /admin/cache/evict": self._evict,
            "GET /admin/config": self._config,
            "GET /admin/model": self._model,
            "POST /admin/model/restore": self._restore,
            "PATCH /admin/config": self._configure,
        }
        if self.asked[-1] not in pages:
            return _error(404, "no such page", "not_found")
        return web.json_response(await pages[self.asked[-1]](request))

    async def _breakers(self, _: web.Request) -> dict[str, Any]:
        return {"ssd": self._breaker()}

    async def _reset(self, _: web.Request) -> dict[str, Any]:
        was, self.breaker = self.breaker, "closed"
        return {"ssd": self._breaker(), "was": was}

    async def _components(self, _: web.Request) -> dict[str, Any]:
        return {"status": self.ssd, "components": {"ssd": {"status": self.ssd, "message": "EIO"}}}

    def _breaker(self) -> dict[str, Any]:
        return {
            "state": self.breaker,
            "value": {"closed": 0, "open": 1, "half-open": 2}[self.breaker],
            "protects": "/mnt/ssd",
            "consecutive_failures": 0,
            "times_opened": 0,
            "open_seconds": 0.0,
            "next_try_seconds": 0.0,
            "last_error": "",
        }

    async def _usage(self, request: web.Request) -> dict[str, Any]:
        older_than = request.query.get("older_than_seconds")
        found = {"files": len(self.cache), "bytes": sum(size for _, size in self.cache)}
        if older_than is not None:
            old = [size for age, size in self.cache if age > float(older_than)]
            found |= {"older_files": len(old), "older_bytes": sum(old)}
        return {**found, "free_bytes": 1}

    async def _evict(self, request: web.Request) -> dict[str, Any]:
        asked = await request.json()
        age = asked["older_than_seconds"]
        old = [entry for entry in self.cache if entry[0] > age]
        if not asked["dry_run"]:
            for entry in old:
                self.cache.remove(entry)
        return {
            "removed_files": len(old),
            "removed_bytes": sum(size for _, size in old),
            "free_bytes": 1,
            "dry_run": asked["dry_run"],
        }

    async def _model(self, _: web.Request) -> dict[str, Any]:
        return {
            "folder": "/models/default",
            "sound": not self.faults,
            "faults": [{"file": "a", "reason": "checksum", "text": one} for one in self.faults],
            "restorable": not self.cause,
            "cause": self.cause,
            "refusal": f"the {self.cause} forbids it" if self.cause else "",
        }

    async def _restore(self, request: web.Request) -> dict[str, Any]:
        dry_run = (await request.json())["dry_run"]
        files = ["a"] if self.faults else []
        if not dry_run:
            self.faults.clear()
        return {"files": files, "bytes": 7 * len(files), "quarantined": [], "dry_run": dry_run}

    async def _configure(self, request: web.Request) -> dict[str, Any]:
        self.limit = (await request.json())["maxNumSeqs"]
        return await self._config(request)

    async def _config(self, _: web.Request) -> dict[str, Any]:
        return {"maxNumSeqs": self.limit, "gpuMemoryUtilization": 0.9, "applied": {}}


def _error(status: int, message: str, code: str) -> web.Response:
    body = {"error": {"message": message, "type": "x", "code": code}}
    return web.json_response(body, status=status)


@asynccontextmanager
async def servers(count: int) -> AsyncGenerator[tuple[int, dict[str, FakeServer]]]:
    """The port they all listen on, and the servers by address."""
    port = unused_port()
    found: dict[str, FakeServer] = {}
    async with AsyncExitStack() as stack:
        for number in range(1, count + 1):
            address = f"127.0.0.{number}"
            found[address] = FakeServer()
            app = web.Application()
            app.router.add_route("*", "/{tail:.*}", found[address].handle)
            server = TestServer(app, host=address, port=port)
            await server.start_server()
            stack.push_async_callback(server.close)
        yield port, found
