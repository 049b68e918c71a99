"""A flood: real completion requests at a constant rate, whether or not they are answered.

Run as a program (`python -m healer.lab.load`), so that it competes with nothing but for the
processor. Loopback only, at most so fast and so long, and it dies with whoever started it.
"""

import argparse
import asyncio
import ctypes
import ipaddress
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from urllib.parse import urlsplit

import aiohttp

RATE = 50.0
SECONDS = 900.0
TOKENS = 64
PROMPT = "The queue is long and"
DEATH_SIGNAL = 1
ANSWER_WITHIN = 60.0


class Flood:
    """An open loop: it does not slow down when the server does."""

    def __init__(
        self, url: str, *, rate: float, seconds: float, tokens: int, prompt: str = PROMPT
    ) -> None:
        if not _is_here(urlsplit(url).hostname or ""):
            message = f"{url} is not on this machine: a flood goes nowhere else"
            raise ValueError(message)
        if not (0 < rate <= RATE and 0 < seconds <= SECONDS and 0 < tokens <= TOKENS):
            message = f"at most {RATE:g} requests a second, {SECONDS:g} s and {TOKENS} tokens"
            raise ValueError(message)
        self._url, self._rate, self._seconds = f"{url}/v1/completions", rate, seconds
        self._body = {"model": "default", "max_tokens": tokens, "prompt": prompt}
        self.answers: Counter[str] = Counter()

    async def run(self) -> None:
        """Send until the time is up, then wait for what is under way."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        timeout = aiohttp.ClientTimeout(total=ANSWER_WITHIN)
        # A connection for each request, as from as many clients: so all replicas get their share.
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        async with (
            aiohttp.ClientSession(timeout=timeout, connector=connector) as session,
            asyncio.TaskGroup() as group,
        ):
            for number in range(round(self._seconds * self._rate)):
                await asyncio.sleep(start + number / self._rate - loop.time())
                group.create_task(self._ask(session))

    async def _ask(self, session: aiohttp.ClientSession) -> None:
        try:
            async with session.post(self._url, json=self._body) as answer:
                await answer.read()
                self.answers[str(answer.status)] += 1
        except (aiohttp.ClientError, TimeoutError) as error:
            self.answers[type(error).__name__] += 1


def _is_here(host: str) -> bool:
    """By number only: a name could mean anything."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _until_told(flood: Flood) -> None:
    """Stop at SIGTERM and SIGINT: what is under way is given up."""
    async with asyncio.TaskGroup() as group:
        running = group.create_task(flood.run())
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, running.cancel)


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; on stdout, in the end, how many requests were answered how."""
    parser = argparse.ArgumentParser(prog="python -m healer.lab.load", description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--rate", type=float, required=True, help="requests a second")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--tokens", type=int, default=10)
    parser.add_argument("--prompt", default=PROMPT)
    parser.add_argument("--parent", type=int, default=0, help="die with this process")
    given = parser.parse_args(arguments)
    if given.parent:
        ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != given.parent:
            return 1
    try:
        flood = Flood(
            given.url,
            rate=given.rate,
            seconds=given.seconds,
            tokens=given.tokens,
            prompt=given.prompt,
        )
    except ValueError as error:
        parser.error(str(error))
    asyncio.run(_until_told(flood))
    sys.stdout.write(json.dumps(dict(sorted(flood.answers.items()))) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
