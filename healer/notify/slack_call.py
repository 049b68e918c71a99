"""One call of Slack's Web API, and what its failures mean. Nothing is sent twice from here."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any, cast

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from healer.errors import HealerError, RejectedError, TemporaryError, UnavailableError
from healer.notify.redact import plain

Json = dict[str, Any]

URL = "https://slack.com/api/"
_PASSING = frozenset(
    {"fatal_error", "internal_error", "request_timeout", "service_unavailable", "team_added_to_org"}
)
_SLOWER = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
_TOKEN = "give healer a valid bot token (xoxb-…) of its Slack app"  # noqa: S105 - advice, no token
_ADVICE: Mapping[str, str] = {
    "not_authed": _TOKEN,
    "invalid_auth": _TOKEN,
    "account_inactive": _TOKEN,
    "token_revoked": _TOKEN,
    "token_expired": _TOKEN,
    "channel_not_found": "use the channel's id (C…), and invite the app into it",
    "not_in_channel": "invite the app into the channel",
    "is_archived": "the channel is archived: unarchive it or name another",
    "missing_scope": "add the scope to the app and install it again",
    "no_permission": "add chat:write to the app and install it again",
    "restricted_action": "let the app post in this channel",
}


def slack_session() -> aiohttp.ClientSession:
    """A session for all calls. slack-sdk ignores its own timeout when it is given a session."""
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10, connect=3))


class SlackCall:
    """A client without retries of its own: a lost answer may mean that the message is there."""

    def __init__(
        self,
        *,
        token: str,
        session: aiohttp.ClientSession,
        url: str = URL,
        proxy: str | None = None,
        timeout: timedelta = timedelta(seconds=10),
    ) -> None:
        log = logging.getLogger("healer.slack")
        log.setLevel(logging.INFO)  # at DEBUG slack-sdk logs whole messages
        self._client: Any = AsyncWebClient(
            token=token,
            base_url=url.rstrip("/") + "/",  # the client replaces what follows the last slash
            session=session,
            retry_handlers=[],
            logger=log,
        )
        self._client.proxy = proxy  # only settings reads the environment
        self._timeout = timeout.total_seconds()

    async def __call__(self, method: str, body: Json) -> Json:
        """Slack's answer; HealerError where it is not `ok`."""
        try:
            async with asyncio.timeout(self._timeout):
                if method.startswith("conversations."):  # reading methods take a form, not JSON
                    answer = await self._client.api_call(method, http_verb="GET", params=body)
                else:
                    answer = await self._client.api_call(method, json=body)
        except SlackApiError as error:
            raise _meaning(method, error) from None
        except (SlackClientError, aiohttp.ClientError, OSError, TimeoutError) as error:
            raise UnavailableError(f"Slack {method}: {_name(error)}") from error
        except (ValueError, TypeError, AttributeError) as error:
            raise UnavailableError(f"Slack {method}: the answer makes no sense") from error
        return _object(answer.data)

    async def each(
        self, method: str, body: Json, *, of: str, pages: int = 10
    ) -> AsyncIterator[Json]:
        """Rows of a paginated answer."""
        cursor = ""
        for _ in range(pages):
            answer = await self(
                method, {**body, "limit": 200} | ({"cursor": cursor} if cursor else {})
            )
            for row in answer.get(of) or ():
                yield _object(row)
            cursor = str(_object(answer.get("response_metadata")).get("next_cursor") or "")
            if not cursor:
                return


def _meaning(method: str, error: SlackApiError) -> HealerError:
    response: Any = error.response
    status = int(getattr(response, "status_code", 0) or getattr(response, "status", 0) or 0)
    said = _object(getattr(response, "data", None))
    word = plain(str(said.get("error") or ""), 100)
    if status == 429 or word in _SLOWER:
        after = _seconds(getattr(response, "headers", {}))
        return TemporaryError(f"Slack {method}: too many messages", retry_after=after)
    if status >= 500 or not word:
        return UnavailableError(f"Slack {method}: HTTP {status}, no answer that makes sense")
    if word in _PASSING:
        return UnavailableError(f"Slack {method}: {word}")
    return RejectedError(f"Slack {method}: {word}{_detail(word, said)}", reason=word)


def _detail(word: str, said: Json) -> str:
    advice = f"; {_ADVICE[word]}" if word in _ADVICE else ""
    needed = f" ({plain(str(said['needed']), 100)})" if said.get("needed") else ""
    faults = _object(said.get("response_metadata")).get("messages") or ()
    shown = f" ({plain('; '.join(str(fault) for fault in faults), 300)})" if faults else ""
    return f"{needed}{shown}{advice}"


def _seconds(headers: Mapping[str, str]) -> timedelta:
    given = headers.get("Retry-After", "")
    return timedelta(seconds=min(float(given), 3600)) if given.isdecimal() else timedelta(seconds=1)


def _name(error: BaseException) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__


def _object(value: Any) -> Json:
    return cast("Json", value) if isinstance(value, dict) else {}
