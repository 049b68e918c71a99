"""Watches a drill from outside and says what happens when it happens."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime

from healer.errors import TemporaryError
from healer.lab.contract import Object
from healer.lab.remote import Remote

Say = Callable[[str], None]

EVERY = 0.25
_QUIET = frozenset({"NoticeStarted", "NoticeSent", "Archived"})


async def _nothing() -> None:
    return None


class Observer:
    """Follows the alerts of a service and the incident that healer makes of them."""

    def __init__(
        self, remote: Remote, *, service: str, playbook: str, since: datetime, say: Say
    ) -> None:
        self._remote = remote
        self._service = service
        self._playbook = playbook
        self._since = since
        self._say = say
        self._alerts: dict[str, str] = {}
        self.beside: Callable[[], Awaitable[None]] = _nothing
        """What is done after each look."""
        self.incident: str = ""
        self.entries: list[Object] = []

    async def until(self, done: Callable[[], bool]) -> None:
        """Look again and again until `done`. Whoever calls bounds the time."""
        while not done():
            with contextlib.suppress(TemporaryError):  # somebody may be away for a while
                await self._look()
                await self.beside()
            if not done():
                await asyncio.sleep(EVERY)

    def happened(self, kind: str, **wanted: object) -> bool:
        """Is there an entry of that type with these values?"""
        return any(
            entry["event"]["type"] == kind
            and all(entry["event"].get(key) == value for key, value in wanted.items())
            for entry in self.entries
        )

    def ripe(self) -> bool:
        """Do all alerts of the service that there are fire by now?"""
        return "pending" not in self._alerts.values()

    def told(self) -> bool:
        """Does every channel know all of it? Of a rehearsal: that it was one."""
        if self.happened("Archived"):
            return True
        rehearsed = max((int(one["seq"]) for one in self._all("Rehearsed")), default=0)
        asked = {one["event"]["channel"] for one in self._all("NoticeStarted")}
        know = {
            one["event"]["channel"]
            for one in (*self._all("NoticeSent"), *self._all("NoticeDropped"))
            if int(one["event"]["through"]) >= rehearsed
        }
        return rehearsed > 0 and asked <= know

    def _all(self, kind: str) -> list[Object]:
        return [entry for entry in self.entries if entry["event"]["type"] == kind]

    async def _look(self) -> None:
        await self._look_at_alerts()
        if not self.incident:
            await self._find()
        if self.incident:
            after = int(self.entries[-1]["seq"]) if self.entries else 0
            for entry in await self._remote.timeline(self.incident, after=after):
                self.entries.append(entry)
                self._tell(entry)

    async def _look_at_alerts(self) -> None:
        alerts = await self._remote.alerts()
        seen: dict[str, str] = {}
        for alert in alerts:
            if alert["labels"].get("service") != self._service:
                continue
            name = alert["labels"]["alertname"]
            if seen.get(name) != "firing":
                seen[name] = str(alert["state"])
        for name, state in seen.items():
            if self._alerts.get(name) != state:
                self._say(f"Prometheus: {name} is {state}.")
        for name in self._alerts.keys() - seen.keys():
            self._say(f"Prometheus: {name} is over.")
        self._alerts = seen

    async def _find(self) -> None:
        for incident in await self.opened():
            if incident["playbook"] == self._playbook:
                self.incident = str(incident["id"])
                self._say(f"healer: incident {self.incident} is open.")
                return

    async def opened(self) -> list[Object]:
        """The incidents of the service that were opened since, the first one first."""
        return [
            incident
            for incident in reversed(await self._remote.incidents())
            if incident["service"] == self._service
            and datetime.fromisoformat(str(incident["opened_at"])) >= self._since
        ]

    def _tell(self, entry: Object) -> None:
        event = entry["event"]
        words = entry["words"]
        if event["type"] == "NoticeSent":
            self._say(f"healer told {event['channel']}.")
        elif words and event["type"] not in _QUIET:
            self._say(f"healer: {words}")
