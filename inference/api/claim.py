"""What a request asks of the queue: its priority and the time it has, from headers and body."""

import asyncio
from math import isfinite

from aiohttp import web

from inference.admission import Claim
from inference.api.error import BadRequestError

PRIORITY_HEADER = "X-Priority"
TIMEOUT_HEADER = "X-Request-Timeout"
_WORDS = {"high": -10, "normal": 0, "low": 10}
_MOST = 100


def claim_of(
    request: web.Request, priority: int | str | None, *, longest: float, tokens: int
) -> Claim:
    """The header wins over the body, for gateways set it; `longest` 0 sets no limit of its own."""
    now = asyncio.get_running_loop().time()
    seconds = [each for each in (longest, _timeout(request)) if each]
    deadline = now + min(seconds) if seconds else None
    given = request.headers.get(PRIORITY_HEADER, priority)
    return Claim(priority=_priority(given), deadline=deadline, tokens=tokens)


def _priority(given: int | str | None) -> int:
    if given is None:
        return 0
    text = str(given).strip().lower()
    if text in _WORDS:
        return _WORDS[text]
    try:
        value = int(text)
    except ValueError:
        value = _MOST + 1
    if abs(value) > _MOST:
        msg = f"priority must be high, normal, low, or -{_MOST} (first) to {_MOST} (last)"
        raise BadRequestError(msg, param="priority")
    return value


def _timeout(request: web.Request) -> float:
    given = request.headers.get(TIMEOUT_HEADER)
    if given is None:
        return 0.0
    try:
        seconds = float(given)
    except ValueError:
        seconds = -1.0
    if not isfinite(seconds) or seconds <= 0:
        msg = f"{TIMEOUT_HEADER} must be a number of seconds above 0"
        raise BadRequestError(msg, param=TIMEOUT_HEADER)
    return seconds
