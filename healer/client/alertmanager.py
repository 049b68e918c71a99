"""What Alertmanager has now: its firing alerts, and which of them are silenced (API v2)."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import aiohttp
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from healer.client.http import MEBIBYTE, foreign_errors, open_session, read_bounded, refusal
from healer.errors import UnavailableError
from healer.model.alert import Alert, AlertGroup, AlertStatus, Fingerprint, Firing, GroupKey

_LIMIT = 32 * MEBIBYTE
_OK = 200


class _Status(BaseModel):
    model_config = ConfigDict(extra="ignore")
    state: str = "active"
    silenced_by: list[str] = Field(default_factory=list[str], alias="silencedBy")


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore")
    fingerprint: str
    labels: dict[str, str]
    annotations: dict[str, str] = Field(default_factory=dict[str, str])
    starts_at: datetime = Field(alias="startsAt")
    generator_url: str = Field(default="", alias="generatorURL")
    status: _Status = _Status()


_ROWS = TypeAdapter(list[_Row])


class Alertmanager:
    """One Alertmanager. Close it at the end.

    `receiver` is what it calls healer: alerts that it routes to others only are not ours to fetch.
    """

    def __init__(
        self,
        url: str,
        *,
        receiver: str = "",
        timeout: timedelta = timedelta(seconds=5),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._receiver = receiver
        self._session: aiohttp.ClientSession = open_session(timeout=timeout, headers=headers)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def silenced_by(self) -> Mapping[Fingerprint, Sequence[str]]:
        """All firing alerts, each with the ids of the silences that mute it."""
        return {
            Fingerprint(row.fingerprint): tuple(row.status.silenced_by)
            for row in await self._alerts()
        }

    async def firing(self) -> Firing:
        """The firing alerts that it routes to healer, and which of them it keeps to itself."""
        rows = await self._alerts(receiver=self._receiver)
        alerts = tuple(
            Alert(
                fingerprint=Fingerprint(row.fingerprint),
                status=AlertStatus.FIRING,
                labels=row.labels,
                annotations=row.annotations,
                starts_at=row.starts_at,
                generator_url=row.generator_url,
            )
            for row in rows
            if row.status.state == "active"
        )
        group = AlertGroup(key=GroupKey("catch-up"), receiver="healer", alerts=alerts)
        muted = frozenset(
            Fingerprint(row.fingerprint) for row in rows if row.status.state != "active"
        )
        return Firing(told=group, muted=muted)

    async def _alerts(self, *, receiver: str = "") -> list[_Row]:
        doing = "asking Alertmanager for its alerts"
        asked = {"receiver": f"^(?:{re.escape(receiver)})$"} if receiver else {}
        async with (
            foreign_errors(doing),
            self._session.get(f"{self._url}/api/v2/alerts", params=asked) as response,
        ):
            body = await read_bounded(response, limit=_LIMIT, doing=doing)
            if response.status != _OK:
                raise refusal(doing, status=response.status, headers=response.headers)
        try:
            return _ROWS.validate_json(body)
        except ValidationError as error:
            message = f"{doing}: the answer cannot be understood"
            raise UnavailableError(message) from error
