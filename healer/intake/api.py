"""/api/v1: what operators and the web pages ask and order. Every order carries a person's name."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from healer.intake import view
from healer.intake.auth import Keyring, credential, local
from healer.intake.contract import Desk, Words
from healer.intake.limit import FullError, Gate, Limits
from healer.intake.openapi import DOCUMENT
from healer.intake.reply import RefusedError, document, read, reply, retry_later
from healer.intake.stream import Streams, wanted
from healer.model.event import IncidentId
from healer.model.incident import Incident, IncidentState
from healer.model.playbook import Playbook

MAX_LIMIT = 500
MAX_REASON = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may look and who may order. Without tokens: looking from loopback, no orders."""

    operators: Keyring

    def looks(self, request: web.Request) -> None:
        """May this request read? RefusedError where not."""
        if not self.operators and local(request):
            return
        self.orders(request)

    def orders(self, request: web.Request) -> str:
        """The name of the operator; RefusedError where there is none."""
        if not self.operators:
            raise RefusedError(
                403,
                "no operator token is configured: reading is allowed from loopback, orders are not",
            )
        scheme, content = credential(request)
        name = self.operators.holder(content) if scheme == "bearer" else None
        if name is None:
            error = "the token is wrong" if scheme else "an operator's bearer token is missing"
            raise RefusedError(401, error, headers=(("WWW-Authenticate", 'Bearer realm="healer"'),))
        return name


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The handlers; each is listed in `routes` and described in `openapi`."""

    desk: Desk
    words: Words
    playbooks: Callable[[], Sequence[Playbook]]
    access: Access
    streams: Streams
    gate: Gate
    limits: Limits

    def routes(self) -> Sequence[web.RouteDef]:
        """All of them."""
        one = "/api/v1/incidents/{incident}"
        return (
            web.get("/api/v1/incidents", self.incidents, allow_head=False),
            web.get(one, self.incident, allow_head=False),
            web.get(f"{one}/timeline", self.timeline, allow_head=False),
            web.post(f"{one}/approve", self.approve),
            web.post(f"{one}/deny", self.deny),
            web.post(f"{one}/cancel", self.cancel),
            web.post("/api/v1/pause", self.pause),
            web.post("/api/v1/resume", self.resume),
            web.get("/api/v1/status", self.status, allow_head=False),
            web.get("/api/v1/playbooks", self.shelf, allow_head=False),
            web.get("/api/v1/openapi.json", self.openapi, allow_head=False),
        )

    async def incidents(self, request: web.Request) -> web.Response:
        """A page of them, newest first."""
        self.access.looks(request)
        page = await self.desk.incidents(
            limit=_number(request.query, "limit", default=50, most=MAX_LIMIT),
            before=_number(request.query, "cursor", default=0) or None,
            state=_state(request.query),
            service=request.query.get("service", ""),
        )
        return reply(view.page(page, self.words))

    async def incident(self, request: web.Request) -> web.Response:
        """All that is known of one."""
        self.access.looks(request)
        return reply(view.incident(await self._found(request), self.words))

    async def timeline(self, request: web.Request) -> web.StreamResponse:
        """Its entries, or a stream of them where the client asks for events."""
        self.access.looks(request)
        found = await self._found(request)
        after = _number(request.query, "after", default=0)
        if wanted(request):
            return await self.streams.follow(request, found.id, after=after)
        entries = await self.desk.entries(found.id, after=after)
        return reply({"entries": [view.entry(entry, self.words) for entry in entries]})

    async def approve(self, request: web.Request) -> web.Response:
        """An operator lets it go on."""
        return await self._order(
            request, "approved", lambda one, by, _: self.desk.approve(one, by=by), reason=False
        )

    async def deny(self, request: web.Request) -> web.Response:
        """An operator says no."""
        return await self._order(
            request, "denied", lambda one, by, why: self.desk.deny(one, by=by, reason=why)
        )

    async def cancel(self, request: web.Request) -> web.Response:
        """An operator takes over."""
        return await self._order(
            request, "cancelled", lambda one, by, why: self.desk.cancel(one, by=by, reason=why)
        )

    async def pause(self, request: web.Request) -> web.Response:
        """Stop all, or one service."""
        by = self.access.orders(request)
        fields = await self._fields(request)
        service, reason = _optional(fields, "service"), _required(fields, "reason")
        await self.desk.pause(by=by, reason=reason, service=service)
        return reply({"done": "paused", "service": service, "by": by})

    async def resume(self, request: web.Request) -> web.Response:
        """Go on."""
        by = self.access.orders(request)
        service = _optional(await self._fields(request), "service")
        await self.desk.resume(by=by, service=service)
        return reply({"done": "resumed", "service": service, "by": by})

    async def status(self, request: web.Request) -> web.Response:
        """Is it ready, and is it paused?"""
        self.access.looks(request)
        reason = self.desk.ready()
        pauses = [view.pause(pause) for pause in self.desk.pauses()]
        return reply({"ready": not reason, "reason": reason, "pauses": pauses})

    async def shelf(self, request: web.Request) -> web.Response:
        """The playbooks in force."""
        self.access.looks(request)
        return reply({"playbooks": [view.playbook(playbook) for playbook in self.playbooks()]})

    async def openapi(self, request: web.Request) -> web.Response:
        """The description of all this."""
        self.access.looks(request)
        return reply(DOCUMENT)

    async def _order(
        self,
        request: web.Request,
        done: str,
        act: Callable[[IncidentId, str, str], Awaitable[None]],
        *,
        reason: bool = True,
    ) -> web.Response:
        by = self.access.orders(request)
        fields = await self._fields(request)
        why = _required(fields, "reason") if reason else ""
        incident = _incident_id(request)
        await act(incident, by, why)
        return reply({"done": done, "incident": incident, "by": by})

    async def _found(self, request: web.Request) -> Incident:
        incident = await self.desk.incident(_incident_id(request))
        if incident is None:
            raise RefusedError(
                404, f"no incident {_incident_id(request)!r}", details={"reason": "NotFound"}
            )
        return incident

    async def _fields(self, request: web.Request) -> Mapping[str, object]:
        try:
            with self.gate.slot() as slot:
                return document(await read(request, slot, self.limits))
        except FullError as error:
            raise retry_later(str(error), self.limits) from None


def _incident_id(request: web.Request) -> IncidentId:
    return IncidentId(request.match_info["incident"])


def _number(query: Mapping[str, str], name: str, *, default: int, most: int = 2**63 - 1) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= most):
        raise RefusedError(400, f"{name} must be a number up to {most}, not {text[:40]!r}")
    return int(text)


def _state(query: Mapping[str, str]) -> IncidentState | None:
    text = query.get("state", "")
    if not text:
        return None
    try:
        return IncidentState(text)
    except ValueError:
        known = ", ".join(state.value for state in IncidentState)
        raise RefusedError(400, f"state must be one of {known}, not {text[:40]!r}") from None


def _optional(fields: Mapping[str, object], name: str) -> str:
    content = fields.get(name, "")
    if not isinstance(content, str) or len(content) > MAX_REASON:
        raise RefusedError(400, f"{name} must be a text of at most {MAX_REASON} characters")
    return content.strip()


def _required(fields: Mapping[str, object], name: str) -> str:
    content = _optional(fields, name)
    if not content:
        raise RefusedError(400, f"{name} is missing: those who read it later need it")
    return content
