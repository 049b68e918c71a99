"""get and list: one object or a page of many, as objects or as a table for people."""

import base64
from collections.abc import Sequence
from typing import Any

import orjson
from aiohttp import web

from healer.lab.api.call import Call, answer
from healer.lab.api.failure import bad_request, not_found
from healer.lab.api.selector import Predicate, parse_fields, parse_labels
from healer.lab.api.table import table
from healer.lab.api.value import is_map, labels, metadata
from healer.lab.contract import Object


async def get(call: Call) -> web.Response:
    """GET of one object, or of its status."""
    found = call.store.get(call.resource.plural, call.namespace, call.target.name)
    if found is None:
        raise not_found(call.resource, call.target.name)
    if wants_table(call):
        return answer(table(call.resource, [found], now=call.store.now(), include=inclusion(call)))
    return answer(found)


async def list_(call: Call) -> web.Response:
    """GET of a collection."""
    _check_version(call)
    found = selected(call)
    page, meta = _page(call, found)
    if wants_table(call):
        body = table(call.resource, page, now=call.store.now(), include=inclusion(call))
        return answer(body | {"metadata": meta})
    return answer(
        {
            "kind": f"{call.resource.kind}List",
            "apiVersion": call.resource.api_version,
            "metadata": meta,
            "items": page,
        }
    )


def wants_table(call: Call) -> bool:
    """Whether the caller prefers a table."""
    accepted = call.request.headers.get("Accept", "").split(",")
    return "as=Table" in accepted[0].replace(" ", "")


def inclusion(call: Call) -> str:
    """How much of each object a table's rows carry: Metadata unless asked otherwise."""
    return call.query.get("includeObject", "Metadata")


def selection(call: Call) -> Predicate:
    """Label and field selectors together."""
    by_label = parse_labels(call.query.get("labelSelector", ""))
    by_field = parse_fields(call.resource.plural, call.query.get("fieldSelector", ""))
    return lambda obj: by_label(labels(obj)) and by_field(obj)


def selected(call: Call) -> list[Object]:
    """All objects that the request chooses."""
    chosen = selection(call)
    scope = call.target.scope if call.resource.namespaced else None
    return [obj for obj in call.store.list(call.resource.plural, scope) if chosen(obj)]


def _check_version(call: Call) -> None:
    """Lists answer with what is newest: only the future, or an exact past, can be refused."""
    wanted = number(call.query.get("resourceVersion", "0") or "0")
    exact = call.query.get("resourceVersionMatch") == "Exact"
    if exact or wanted > call.store.history.version:
        call.store.history.check(wanted)


def number(text: str) -> int:
    """A resourceVersion or a limit."""
    try:
        return int(text)
    except ValueError as error:
        raise bad_request(f"Invalid value: {text!r}: must be a number") from error


def _page(call: Call, found: Sequence[Object]) -> tuple[list[Object], Object]:
    """The page asked for and the list's metadata."""
    meta: Object = {"resourceVersion": str(call.store.history.version)}
    limit = number(call.query.get("limit", "0") or "0")
    rest = list(found)
    token = call.query.get("continue", "")
    if token:
        start = _decode(call, token)
        meta["resourceVersion"] = str(start["rv"])
        rest = [obj for obj in rest if _key(obj) > tuple(start["start"])]
    if limit <= 0 or len(rest) <= limit:
        return rest, meta
    page = rest[:limit]
    meta["continue"] = _encode({"rv": int(meta["resourceVersion"]), "start": _key(page[-1])})
    if not call.query.get("labelSelector") and not call.query.get("fieldSelector"):
        meta["remainingItemCount"] = len(rest) - limit
    return page, meta


def _key(obj: Object) -> tuple[str, str]:
    meta = metadata(obj)
    return str(meta.get("namespace", "")), str(meta["name"])


def _encode(token: Object) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(token)).decode()


def _decode(call: Call, token: str) -> Object:
    try:
        found: Any = orjson.loads(base64.urlsafe_b64decode(token))
    except ValueError as error:
        raise bad_request(f"continue key is not valid: {error}") from error
    if not is_map(found) or "rv" not in found or "start" not in found:
        raise bad_request("continue key is not valid")
    call.store.history.check(int(found["rv"]))
    return found
