"""PagerDuty's Events API v2 and the part of its REST API that notes need, on loopback."""

import time
import uuid
from collections.abc import Sequence
from typing import Any, Self

from aiohttp import web

from healer.lab.front import Front
from healer.lab.outage import Handler, Mode
from healer.lab.pagerduty.account import Account, Incident
from healer.lab.pagerduty.event import SIZE, Json, faults, is_object


class PagerDutyServer:
    """`async with PagerDutyServer() as pagerduty:` serves Events and REST at `pagerduty.url`."""

    def __init__(
        self,
        *,
        routing_keys: Sequence[str] = ("0123456789abcdef0123456789abcdef",),
        token: str = "lab-rest-token",  # noqa: S107 - of a server on loopback
        users: Sequence[str] = ("healer@example.com",),
        lag: float = 0.0,
        port: int = 0,
    ) -> None:
        self.routing_keys, self.token, self.users = tuple(routing_keys), token, tuple(users)
        self.lag = lag  # events are worked off behind their 202; REST sees them so much later
        self.account = Account()
        self.requests: list[tuple[str, str]] = []
        self._front = Front(
            [
                web.post("/v2/enqueue", self._enqueue),
                web.get("/incidents", self._incidents),
                web.get("/incidents/{id}/notes", self._notes),
                web.post("/incidents/{id}/notes", self._add_note),
                web.get("/lab/state", self._state),
            ],
            port=port,
            largest=SIZE,
            middlewares=[self._watch],
        )

    async def __aenter__(self) -> Self:
        await self._front.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._front.close()

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return self._front.url

    def fail(self, mode: Mode, times: int = 1, *, path: str = "") -> None:
        """Let the next requests fail: a status, "hang", "garbage", "reset" or "reset-after"."""
        self._front.fail(mode, times, path=path)

    @property
    def incidents(self) -> list[Incident]:
        """All there ever were, oldest first."""
        return self.account.incidents

    @property
    def pages(self) -> list[str]:
        """The dedup keys of those that woke somebody."""
        return self.account.pages

    def render(self) -> str:
        """All incidents as a person reads them."""
        return "\n\n".join(incident.render() for incident in self.incidents)

    async def _state(self, _request: web.Request) -> web.Response:
        shown = [{**one.as_json(), "log": one.log, "notes": one.notes} for one in self.incidents]
        return web.json_response({"incidents": shown, "text": self.render(), "pages": self.pages})

    @web.middleware
    async def _watch(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Every request that arrived is counted, answered or not."""
        if not request.path.startswith("/lab/"):
            self.requests.append((request.method, request.path))
        return await handler(request)

    async def _enqueue(self, request: web.Request) -> web.Response:
        body = await _read(request)
        if body is None:
            return _invalid("Unrecognized object", "Event object format is unrecognized")
        wrong = list(faults(body))
        if not wrong and body["routing_key"] not in self.routing_keys:
            wrong = ["Invalid routing key"]
        if wrong:
            return _invalid("invalid event", "Event object is invalid", *wrong)
        return web.json_response(self._take(body), status=202)

    def _take(self, event: Json) -> Json:
        routing_key, key = event["routing_key"], event.get("dedup_key") or uuid.uuid4().hex
        match event["event_action"]:
            case "trigger":
                self.account.trigger(routing_key, key, event["payload"])
            case "acknowledge":
                self.account.acknowledge(routing_key, key)
            case _:
                self.account.resolve(routing_key, key)
        return {"status": "success", "message": "Event processed", "dedup_key": key}

    async def _incidents(self, request: web.Request) -> web.Response:
        if not self._authorized(request):
            return _unauthorized()
        key, statuses = request.query.get("incident_key"), request.query.getall("statuses[]", [])
        found = [
            incident.as_json()
            for incident in reversed(self.incidents)
            if time.monotonic() - incident.since >= self.lag
            and key in (None, incident.key)
            and (not statuses or incident.status in statuses)
        ]
        page = {"limit": 25, "offset": 0, "total": None, "more": len(found) > 25}
        return web.json_response({"incidents": found[:25], **page})

    async def _notes(self, request: web.Request) -> web.Response:
        incident = self.account.find(request.match_info["id"])
        if not self._authorized(request):
            return _unauthorized()
        return _missing() if incident is None else web.json_response({"notes": incident.notes})

    async def _add_note(self, request: web.Request) -> web.Response:
        incident = self.account.find(request.match_info["id"])
        if not self._authorized(request):
            return _unauthorized()
        author = request.headers.get("From", "")
        if author not in self.users:
            return _error(400, 1008, "Requester User Not Found")
        if incident is None:
            return _missing()
        note = (await _read(request) or {}).get("note")
        content = note.get("content") if is_object(note) else None
        if not isinstance(content, str) or not content:
            return _error(400, 2001, "Invalid Input Provided", "Content can't be blank.")
        return web.json_response({"note": self.account.annotate(incident, content, author)})

    def _authorized(self, request: web.Request) -> bool:
        return request.headers.get("Authorization") == f"Token token={self.token}"


async def _read(request: web.Request) -> Json | None:
    """A JSON object, or None. Beyond 512 KB the application answers 413 by itself."""
    try:
        found: Any = await request.json()
    except ValueError:
        return None
    return found if is_object(found) else None


def _invalid(status: str, message: str, *errors: str) -> web.Response:
    said: Json = {"status": status, "message": message, "errors": list(errors)}
    return web.json_response(said, status=400)


def _error(status: int, code: int, message: str, *errors: str) -> web.Response:
    said: Json = {"message": message, "code": code, "errors": list(errors)}
    return web.json_response({"error": said}, status=status)


def _unauthorized() -> web.Response:
    return _error(401, 2006, "Invalid API key")


def _missing() -> web.Response:
    return _error(404, 2100, "Not Found")
