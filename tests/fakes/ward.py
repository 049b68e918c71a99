"""What SCENARIO-2 and INC-001 happen to: real cache files, and replicas that share the load.

The servers answer from what is so at that moment: nothing is set by hand, so only what healer
really did can heal.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

GIGABYTE = 1000
"""Of this ward: a file of so many bytes stands for a gigabyte."""
CAPACITY = 100 * GIGABYTE
OLD_FILES = 6
_DAY = 24 * 3600
Row = dict[str, Any]


@dataclass
class Cache:
    """The cache on the SSD. Old files fill it; two new ones must survive."""

    folder: Path
    evictions: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    looks: int = 0

    def fill(self) -> None:
        """Nearly full: 2 GB are free, and 90 GB are older than a week."""
        self.folder.mkdir()
        for number in range(OLD_FILES):
            self._write(f"old-{number}", size=15 * GIGABYTE, age=8 * _DAY)
        for number in range(2):
            self._write(f"new-{number}", size=4 * GIGABYTE, age=60)

    def _write(self, name: str, *, size: int, age: float) -> None:
        path = self.folder / name
        path.write_bytes(b"x" * size)
        moment = time.time() - age
        os.utime(path, (moment, moment))

    @property
    def names(self) -> list[str]:
        """The files that are there."""
        return sorted(path.name for path in self.folder.iterdir())

    @property
    def used(self) -> int:
        """Bytes."""
        return sum(path.stat().st_size for path in self.folder.iterdir())

    @property
    def free_gb(self) -> float:
        """What the metric of that name shows."""
        return (CAPACITY - self.used) / GIGABYTE

    def application(self) -> web.Application:
        """The part of the inference server's HTTP that a cache has."""
        app = web.Application()
        app.router.add_get("/admin/cache", self._usage)
        app.router.add_post("/admin/cache/evict", self._evict)
        return app

    def _older(self, seconds: float) -> list[Path]:
        limit = time.time() - seconds
        return [path for path in self.folder.iterdir() if path.stat().st_mtime < limit]

    async def _usage(self, request: web.Request) -> web.Response:
        self.looks += 1
        old = self._older(float(request.query["older_than_seconds"]))
        told = {
            "files": len(self.names),
            "bytes": self.used,
            "older_files": len(old),
            "older_bytes": sum(path.stat().st_size for path in old),
        }
        return web.json_response(told)

    async def _evict(self, request: web.Request) -> web.Response:
        order: Mapping[str, Any] = await request.json()
        old = self._older(float(order["older_than_seconds"]))
        size = sum(path.stat().st_size for path in old)
        if not order["dry_run"]:
            self.evictions.append(order)
            for path in old:
                path.unlink()
        return web.json_response({"removed_files": len(old), "removed_bytes": size})


@dataclass(frozen=True)
class Metrics:
    """A Prometheus that knows a few numbers: the first name that occurs in the query counts."""

    numbers: Mapping[str, Callable[[], float]]

    def application(self) -> web.Application:
        """Instant and range queries; a range is the present number, twice."""
        app = web.Application()
        app.router.add_get("/api/v1/query", self._query)
        app.router.add_post("/api/v1/query", self._query)
        app.router.add_get("/api/v1/query_range", self._range)
        app.router.add_post("/api/v1/query_range", self._range)
        return app

    def _find(self, query: str) -> float | None:
        return next((number() for name, number in self.numbers.items() if name in query), None)

    async def _query(self, request: web.Request) -> web.Response:
        found = self._find(await _asked(request))
        row: Row = {"metric": {}, "value": [time.time(), str(found)]}
        return _answer("vector", [] if found is None else [row])

    async def _range(self, request: web.Request) -> web.Response:
        found, now = self._find(await _asked(request)), time.time()
        row: Row = {"metric": {}, "values": [[now - 60, str(found)], [now, str(found)]]}
        return _answer("matrix", [] if found is None else [row])


async def _asked(request: web.Request) -> str:
    return str({**request.query, **(await request.post())}["query"])


def _answer(kind: str, result: list[Row]) -> web.Response:
    told = {"status": "success", "data": {"resultType": kind, "result": result}}
    return web.Response(text=json.dumps(told), content_type="application/json")
