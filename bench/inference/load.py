"""A generator of streaming requests in a process of its own: `python -m bench.inference.load URL`.

Raw keep-alive connections, one request at a time on each; it looks at no more of a stream than it
must, so that it costs less than any server. One line of JSON is its answer.
"""

import argparse
import asyncio
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from bench.inference.prompt import SHAPES, body

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_END = b"\r\n0\r\n\r\n"
_KEPT = 4096
_TOKENS = re.compile(rb'"completion_tokens": ?(\d+)')
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to send: `requests` in all, numbered from `first`, by so many clients at once."""

    url: SplitResult
    more: dict[str, object]
    shape: str
    clients: int
    requests: int
    first: int = 0
    timeout: float = 120

    def message(self, number: int) -> bytes:
        """The whole HTTP request."""
        content = body(self.shape, number, **self.more)
        head = (
            f"POST /v1/completions HTTP/1.1\r\nHost: {self.url.netloc}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        return head.encode() + content


@dataclass(slots=True)
class Tally:
    """Seconds to the first event and to the end, and tokens, of all that were answered whole."""

    first: list[float] = field(default_factory=list[float])
    whole: list[float] = field(default_factory=list[float])
    tokens: list[int] = field(default_factory=list[int])
    failures: Counter[str] = field(default_factory=Counter[str])


class Answer(asyncio.Protocol):
    """One connection; times the answer that is under way."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._done: asyncio.Future[str] | None = None
        self._clear()

    def _clear(self) -> None:
        self._head = b""
        self._tail = b""
        self._begun = time.perf_counter()
        self.first = self.whole = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Kept for the next requests."""
        if not isinstance(transport, asyncio.Transport):
            message = f"no stream: {transport!r}"
            raise TypeError(message)
        self._transport = transport

    async def ask(self, message: bytes) -> str:
        """Send, and wait for the end; empty when all went well, else what was wrong."""
        if self._transport is None or self._transport.is_closing():
            return "closed before it was asked"
        self._done = asyncio.get_running_loop().create_future()
        self._clear()
        self._transport.write(message)
        return await self._done

    @property
    def tokens(self) -> int | None:
        """As the server counts them; none at all where an answer ends with its first token."""
        found = _TOKENS.findall(self._tail)
        return int(found[-1]) if found else None

    def data_received(self, data: bytes) -> None:
        """The first event is timed, the rest only looked at for its end."""
        if not self.first:
            self._head += data
            if b"data: " in self._head:
                self.first = time.perf_counter() - self._begun
        self._tail = (self._tail + data)[-_KEPT:]
        if self._tail.endswith(_END):
            self._end("" if b" 200 " in self._head[:16] else self._status())
        elif not self.first and self._refused():
            self._end(self._status())

    def _refused(self) -> bool:
        """An answer that is no stream says its length."""
        head, found, rest = self._head.partition(b"\r\n\r\n")
        length = _LENGTH.search(head + b"\r\n")
        return bool(found and length and len(rest) >= int(length[1]))

    def _status(self) -> str:
        return self._head[9:12].decode(errors="replace")

    def connection_lost(self, exc: Exception | None) -> None:
        """An answer cut short is none."""
        del exc
        self._end("cut short")

    def _end(self, fault: str) -> None:
        self.whole = time.perf_counter() - self._begun
        if self._done is not None and not self._done.done():
            self._done.set_result(fault)

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()


async def send(plan: Plan) -> dict[str, object]:
    """Carry it out and say what came of it."""
    messages = [plan.message(plan.first + index) for index in range(plan.requests)]
    tally = Tally()
    begin, used = time.perf_counter(), time.process_time()
    numbers = iter(messages)
    async with asyncio.TaskGroup() as group:
        for _ in range(plan.clients):
            group.create_task(_converse(plan, numbers, tally))
    return {
        "seconds": time.perf_counter() - begin,
        "cpu": time.process_time() - used,
        "first": tally.first,
        "whole": tally.whole,
        "tokens": tally.tokens,
        "failures": dict(tally.failures),
    }


async def _converse(plan: Plan, messages: Iterator[bytes], tally: Tally) -> None:
    loop = asyncio.get_running_loop()
    _, answer = await loop.create_connection(Answer, plan.url.hostname or "", plan.url.port or 0)
    try:
        for message in messages:
            async with asyncio.timeout(plan.timeout):
                fault = await answer.ask(message)
            tokens = answer.tokens
            if fault or tokens is None:
                tally.failures[fault or "no usage"] += 1
                continue
            tally.first.append(answer.first)
            tally.whole.append(answer.whole)
            tally.tokens.append(tokens)
    finally:
        answer.close()


def plan_of(arguments: list[str]) -> Plan:
    """The plan that the command line tells of."""
    parser = argparse.ArgumentParser(prog="bench.inference.load")
    parser.add_argument("url")
    parser.add_argument("--more", type=json.loads, default={}, help="JSON that each body holds too")
    parser.add_argument("--shape", choices=sorted(SHAPES), default="even")
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--requests", type=int, default=8)
    parser.add_argument("--first", type=int, default=0, help="number of the first request")
    given = parser.parse_args(arguments)
    url = urlsplit(str(given.url))
    if url.scheme != "http" or url.hostname not in _LOOPBACK or not url.port:
        parser.error(f"only http on loopback with a port, not {given.url!r}")
    return Plan(
        url=url,
        more=given.more,
        shape=given.shape,
        clients=given.clients,
        requests=given.requests,
        first=given.first,
    )


if __name__ == "__main__":
    result = asyncio.run(send(plan_of(sys.argv[1:])))
    sys.stdout.write(json.dumps(result) + "\n")
