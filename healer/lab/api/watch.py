"""watch: a stream of changes as JSON lines, with bookmarks, until its time is over."""

import asyncio
from dataclasses import dataclass, field
from typing import Literal

import orjson
from aiohttp import web

from healer.lab.api.call import Call
from healer.lab.api.failure import ApiError
from healer.lab.api.history import Line
from healer.lab.api.read import inclusion, number, selection, wants_table
from healer.lab.api.selector import Predicate
from healer.lab.api.table import table
from healer.lab.api.target import TRUE
from healer.lab.contract import Object

_DEFAULT_SPAN = 1800.0
_BOOKMARK_EVERY = 60.0
Kind = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]


@dataclass(slots=True)
class _Stream:
    """Writes lines in the form that the caller wants."""

    call: Call
    response: web.StreamResponse
    as_table: bool
    headed: bool = field(default=False)

    async def send(self, kind: Kind, obj: Object) -> None:
        if self.as_table and kind != "ERROR":
            call = self.call
            obj = table(call.resource, [obj], now=call.store.now(), include=inclusion(call))
            if self.headed:
                obj["columnDefinitions"] = None
            self.headed = True
        await self.response.write(orjson.dumps({"type": kind, "object": obj}) + b"\n")

    async def bookmark(self, *, annotations: Object | None = None) -> None:
        if self.as_table and not self.headed:
            return
        meta: Object = {
            "resourceVersion": str(self.call.store.history.version),
            "creationTimestamp": None,
        }
        if annotations:
            meta["annotations"] = annotations
        resource = self.call.resource
        obj = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": meta}
        await self.send("BOOKMARK", obj)


async def watch(call: Call) -> web.StreamResponse:
    """GET of a collection with `watch`."""
    chosen = selection(call)
    since = call.query.get("resourceVersion", "")
    span = float(number(call.query.get("timeoutSeconds", "0") or "0")) or _DEFAULT_SPAN
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.enable_chunked_encoding()
    await response.prepare(call.request)
    stream = _Stream(call, response, wants_table(call))
    try:
        async with asyncio.timeout(span):
            await _run(call, stream, chosen, since)
    except TimeoutError:
        if call.query.get("allowWatchBookmarks") in TRUE:
            await stream.bookmark()
    except ApiError as error:
        await stream.send("ERROR", error.status())
    except ConnectionError:
        return response  # the caller has gone
    await response.write_eof()
    return response


async def _run(call: Call, stream: _Stream, chosen: Predicate, since: str) -> None:
    history, plural = call.store.history, call.resource.plural
    streaming = call.query.get("sendInitialEvents") in TRUE
    initial = streaming or since in {"", "0"}
    start = history.version if initial else number(since)
    history.check(start)
    with history.listening(plural, start) as lines:
        if initial:
            scope = call.target.scope if call.resource.namespaced else None
            for obj in call.store.list(plural, scope):
                if chosen(obj):
                    await stream.send("ADDED", obj)
        if streaming:
            await stream.bookmark(annotations={"k8s.io/initial-events-end": "true"})
        await _follow(call, stream, chosen, lines)


async def _follow(
    call: Call, stream: _Stream, chosen: Predicate, lines: asyncio.Queue[Line]
) -> None:
    bookmarks = call.query.get("allowWatchBookmarks") in TRUE
    while True:
        try:
            async with asyncio.timeout(_BOOKMARK_EVERY):
                line = await lines.get()
        except TimeoutError:
            if bookmarks:
                await stream.bookmark()
            continue
        if seen := _as_seen(call, line, chosen):
            await stream.send(*seen)


def _as_seen(call: Call, line: Line, chosen: Predicate) -> tuple[Kind, Object] | None:
    """The change as it looks through the selectors: what leaves them is DELETED."""
    obj = line.change.object
    space = call.target.namespace
    if call.resource.namespaced and space and obj["metadata"].get("namespace") != space:
        return None
    had = line.before is not None and chosen(line.before)
    has = line.change.type != "DELETED" and chosen(obj)
    if has:
        return ("MODIFIED" if had else "ADDED"), obj
    return ("DELETED", obj) if had else None
