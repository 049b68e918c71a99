"""Delivers one alert as Alertmanager does: until it is answered 2xx, and then what became of it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp

AGAIN_SECONDS = 0.05
"""Alertmanager waits at least half a second; here nobody has that time."""
_NEVER = "0001-01-01T00:00:00Z"


@dataclass
class Postman:
    """One alert group of one alert. `answered` holds every payload that was answered 200."""

    labels: Mapping[str, str]
    faulty: Callable[[], bool]
    token: str
    port: int | None = None
    answered: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    tries: int = 0
    _since: str = ""

    async def run(self) -> None:
        """Fire as long as the fault is there, then resolve. For ever."""
        self._since = _stamp()
        timeout = aiohttp.ClientTimeout(total=5)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            while True:
                status = "firing" if self.faulty() else "resolved"
                known = self.answered[-1]["status"] if self.answered else "resolved"
                if status != known:
                    await self._deliver(http, status)
                await asyncio.sleep(AGAIN_SECONDS)

    async def _deliver(self, http: aiohttp.ClientSession, status: str) -> None:
        payload = self._payload(status)
        if self.port is None:
            return
        self.tries += 1
        url = f"http://127.0.0.1:{self.port}/webhook/alertmanager"
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            async with http.post(url, json=payload, headers=headers) as answer:
                if answer.status == 200:
                    self.answered.append(payload)
        except (aiohttp.ClientError, TimeoutError):
            return  # it comes again

    def _payload(self, status: str) -> Mapping[str, Any]:
        alert = {
            "status": status,
            "labels": dict(self.labels),
            "annotations": {"summary": "seen by the postman"},
            "startsAt": self._since,
            "endsAt": _stamp() if status == "resolved" else _NEVER,
            "generatorURL": "",
            "fingerprint": "00000000000000a1",
        }
        return {
            "version": "4",
            "groupKey": "{}:{}",
            "truncatedAlerts": 0,
            "status": status,
            "receiver": "healer",
            "groupLabels": {},
            "commonLabels": dict(self.labels),
            "commonAnnotations": {},
            "externalURL": "http://alertmanager.example",
            "alerts": [alert],
        }


def _stamp() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
