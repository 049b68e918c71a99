"""POST /slack/interactions: the buttons under a notice. Signed by Slack, answered within 3 s.

Slack shows a warning beside the button where the answer is not 200, so a click in vain is seen.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import parse_qs

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError
from slack_sdk.signature import Clock as SlackClock
from slack_sdk.signature import SignatureVerifier

from healer.intake.contract import Desk
from healer.intake.limit import MEBIBYTE, FullError, Gate, Limits
from healer.intake.reply import RefusedError, read, reply, retry_later
from healer.kit.clock import Clock
from healer.model.event import IncidentId

APPROVE = "approve"
DENY = "deny"
"""The `action_id` of the buttons; their `value` is the incident."""

PATIENCE = timedelta(seconds=2.5)


class _User(BaseModel):
    id: str
    username: str = ""


class _Button(BaseModel):
    action_id: str
    value: str = ""


class _Interaction(BaseModel):
    type: str
    user: _User
    actions: list[_Button] = []


class SlackDoor:
    """Knows whether a request is Slack's, and whether the person behind it may decide."""

    def __init__(
        self, *, signing_secret: str, clock: Clock, approvers: frozenset[str] = frozenset()
    ) -> None:
        self._verifier = SignatureVerifier(signing_secret, _Now(clock))
        self._approvers = approvers

    def signed(self, body: bytes, headers: Mapping[str, str]) -> bool:
        """Was it signed by Slack within the last five minutes?"""
        try:
            return self._verifier.is_valid_request(body, headers)
        except (ValueError, TypeError):  # what it raises on odd input is nothing but a wrong one
            return False

    def admits(self, user: str) -> bool:
        """May this user decide? Without a list, everyone in the workspace may."""
        return not self._approvers or user in self._approvers


@dataclass(frozen=True, slots=True, kw_only=True)
class Slack:
    """The handler."""

    desk: Desk
    door: SlackDoor
    gate: Gate
    limits: Limits
    patience: timedelta = PATIENCE

    async def handle(self, request: web.Request) -> web.Response:
        """One click."""
        bounds = replace(self.limits, body=MEBIBYTE, read=timedelta(seconds=2))
        try:
            with self.gate.slot() as slot:
                body = await read(request, slot, bounds)
        except FullError as error:
            raise retry_later(str(error), self.limits) from None
        if not self.door.signed(body, request.headers):
            raise RefusedError(401, "the signature is wrong or too old")
        interaction = _parsed(body)
        for button in interaction.actions:
            if button.action_id in (APPROVE, DENY):
                await self._decide(interaction.user, button)
        return reply({})

    async def _decide(self, user: _User, button: _Button) -> None:
        if not self.door.admits(user.id):
            raise RefusedError(403, f"{user.id} may not decide")
        by = f"{user.username} ({user.id}, Slack)" if user.username else f"{user.id} (Slack)"
        incident = IncidentId(button.value)
        try:
            async with asyncio.timeout(self.patience.total_seconds()):
                if button.action_id == APPROVE:
                    await self.desk.approve(incident, by=by)
                else:
                    await self.desk.deny(incident, by=by, reason="denied in Slack")
        except TimeoutError:
            raise retry_later(
                "not recorded in time; look before clicking again", self.limits
            ) from None


class _Now(SlackClock):
    """Slack's verifier asks a clock of its own kind."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> float:
        return self._clock.now().timestamp()


def _parsed(body: bytes) -> _Interaction:
    try:
        (payload,) = parse_qs(body.decode(), strict_parsing=True)["payload"]
        return _Interaction.model_validate(orjson.loads(payload))
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise RefusedError(400, "not an interaction", details={"where": where}) from None
    except (ValueError, KeyError):
        raise RefusedError(400, "the form has no single JSON `payload`") from None
