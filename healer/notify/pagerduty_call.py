"""pdpyras in two threads of its own: one request a call, bounded in time, never slept over.

pdpyras by itself retries 429 without end and sleeps while it does so. Here the first answer counts,
and the engine decides when to try again.
"""

import asyncio
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from healer.errors import PermanentError, RejectedError, TemporaryError, UnavailableError
from healer.notify.redact import plain

with warnings.catch_warnings():
    # It says on import that it is no longer developed, as a UserWarning. That is known.
    warnings.filterwarnings("ignore", 'The package "pdpyras" is deprecated', UserWarning)
    import pdpyras

T = TypeVar("T")
Json = dict[str, Any]

EVENTS_URL = "https://events.pagerduty.com"
API_URL = "https://api.pagerduty.com"
_events_session: Any = pdpyras.EventsAPISession
_api_session: Any = pdpyras.APISession
_client_error: Any = pdpyras.PDClientError


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where PagerDuty is, and who healer is there. No token: no notes."""

    token: str = ""
    sender: str = ""
    events_url: str = EVENTS_URL
    api_url: str = API_URL
    proxy: str = ""
    connect: timedelta = timedelta(seconds=3)
    read: timedelta = timedelta(seconds=5)

    def __repr__(self) -> str:
        return f"Access(events_url={self.events_url!r}, api_url={self.api_url!r})"


class _Response(Protocol):
    status_code: int
    headers: Mapping[str, str]
    text: str

    def close(self) -> None: ...


class PagerDutyCall:
    """The calls healer makes. Every one may raise Temporary-, Unavailable- or RejectedError."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="pagerduty")

    @property
    def annotates(self) -> bool:
        """May it write notes?"""
        return bool(self._access.token and self._access.sender)

    async def event(self, routing_key: str, action: str, key: str, **properties: Any) -> None:
        """Trigger, acknowledge or resolve: the same once or twice."""
        await self._in_thread(lambda: self._event(routing_key, action, key, properties))

    async def find(self, key: str) -> str | None:
        """The id of the newest incident with that key."""
        params = {"incident_key": key, "date_range": "all"}
        found = await self._in_thread(lambda: self._rest("rget", "/incidents", params=params))
        rows = [row for row in found or () if row.get("incident_key") == key]
        newest = max(rows, key=lambda row: int(row.get("incident_number") or 0), default=None)
        return str(newest["id"]) if newest else None

    async def notes(self, incident: str) -> list[str]:
        """The notes under an incident."""
        path = f"/incidents/{incident}/notes"
        found = await self._in_thread(lambda: self._rest("rget", path))
        return [str(note.get("content", "")) for note in found or ()]

    async def annotate(self, incident: str, content: str) -> None:
        """Write a note. Twice makes two."""
        path, note = f"/incidents/{incident}/notes", {"content": content}
        await self._in_thread(lambda: self._rest("rpost", path, json=note))

    async def close(self) -> None:
        """Forget what waits; what is under way ends by its own timeout."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        access = self._access
        bound = 4 * (access.connect + access.read)  # others may be before us in the two threads
        try:
            async with asyncio.timeout(bound.total_seconds()):
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except TimeoutError as error:
            raise UnavailableError("PagerDuty: no answer in time") from error

    def _event(self, routing_key: str, action: str, key: str, properties: Json) -> None:
        with _events_session(routing_key) as session:
            self._bound(session, self._access.events_url, secret=routing_key)
            self._translate(lambda: session.send_event(action, dedup_key=key, **properties))

    def _rest(self, method: str, path: str, **request: Any) -> Any:
        access = self._access
        with _api_session(access.token, default_from=access.sender) as session:
            self._bound(session, access.api_url, secret=access.token)
            return self._translate(lambda: getattr(session, method)(path, **request))

    def _bound(self, session: Any, url: str, *, secret: str) -> None:
        """One request, with an end, and no answer but ours to what is not a success."""
        session.url = url
        session.trust_env = False  # only settings reads the environment; nor .netrc
        session.proxies = {"https": self._access.proxy} if self._access.proxy else {}
        session.max_network_attempts = 0
        session.timeout = (self._access.connect.total_seconds(), self._access.read.total_seconds())

        def judge(response: _Response, **_: object) -> None:
            _judge(response, secret)

        session.hooks["response"].append(judge)

    def _translate(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except pdpyras.URLError as error:
            raise PermanentError("PagerDuty: the address is not one of its API") from error
        except _client_error as error:
            cause = type(error.__cause__ or error).__name__
            raise UnavailableError(f"PagerDuty: no answer that makes sense ({cause})") from None
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise UnavailableError("PagerDuty: the answer makes no sense") from error


def _judge(response: _Response, secret: str) -> None:
    """Runs before pdpyras looks at the answer, and so before it would sleep and try again."""
    status = response.status_code
    if status < 400:
        return
    said = plain(response.text.replace(secret, "***"), 300)
    response.close()  # a hook runs before the body is read; what is raised would keep the socket
    if status == 429:
        raise TemporaryError("PagerDuty: too many requests", retry_after=_after(response.headers))
    if status >= 500:
        raise UnavailableError(f"PagerDuty: HTTP {status}")
    raise RejectedError(f"PagerDuty: HTTP {status}{_advice(status)}: {said}", reason=str(status))


def _advice(status: int) -> str:
    match status:
        case 401 | 403:
            return ", give healer a REST API token that may write notes"
        case 400:
            return ", the routing key must be the integration key of an Events API v2 integration"
        case _:
            return ""


def _after(headers: Mapping[str, str]) -> timedelta:
    given = headers.get("Retry-After") or headers.get("ratelimit-reset") or ""
    return timedelta(seconds=min(int(given), 3600) if given.isdecimal() else 10)
