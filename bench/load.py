"""A load generator in a process of its own: `python -m bench.load URL`, one line of JSON as answer.

Raw keep-alive connections, each with one request at a time, so that it costs less than any server.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from bench.payload import Body, bodies

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to send, how much of it at once, and when to stop: whichever bound is met first."""

    url: SplitResult
    body: Body
    connections: int
    requests: int
    seconds: float
    first: int
    rate: float = 0
    token: str = field(default="", repr=False)

    def head(self, length: int) -> bytes:
        """The request's head."""
        lines = [
            f"POST {self.url.path or '/'} HTTP/1.1",
            f"Host: {self.url.netloc}",
            "Content-Type: application/json",
            f"Content-Length: {length}",
        ]
        if self.token:
            lines.append(f"Authorization: Bearer {self.token}")
        return "\r\n".join([*lines, "", ""]).encode()


@dataclass(slots=True)
class Tally:
    """What came of it: seconds of each request answered 200, and how often each status came.

    `sent` is when each request was sent, in seconds since 1970.
    """

    spans: list[float] = field(default_factory=list[float])
    statuses: Counter[int] = field(default_factory=Counter[int])
    sent: dict[int, float] = field(default_factory=dict[int, float])


async def send(plan: Plan) -> dict[str, object]:
    """Carry it out and sum it up."""
    tally = Tally()
    numbers = islice(count(plan.first), plan.requests or None)
    begin = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(plan.connections):
            group.create_task(_converse(plan, numbers, tally, begin))
    wall = time.perf_counter() - begin
    spans = sorted(tally.spans)
    return {
        "requests": sum(tally.statuses.values()),
        "statuses": {str(status): number for status, number in sorted(tally.statuses.items())},
        "seconds": wall,
        "rate": len(spans) / wall,
        "p50": _quantile(spans, 0.50),
        "p99": _quantile(spans, 0.99),
        "worst": spans[-1] if spans else None,
        "cpu": time.process_time(),
        "sent": tally.sent if plan.rate or plan.requests else {},
    }


async def _converse(plan: Plan, numbers: Iterator[int], tally: Tally, begun: float) -> None:
    reader, writer = await asyncio.open_connection(plan.url.hostname, plan.url.port)
    try:
        for number in numbers:
            body = plan.body(number)
            if plan.rate:
                due = begun + (number - plan.first) / plan.rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
            begin = time.perf_counter()
            if begin > begun + plan.seconds:
                return
            tally.sent[number] = time.time_ns() / 1e9
            writer.write(plan.head(len(body)) + body)
            async with asyncio.timeout(30):
                status = await _answer(reader)
            tally.statuses[status] += 1
            if status == 200:
                tally.spans.append(time.perf_counter() - begin)
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
    if not length:
        message = f"an answer without a length: {head!r}"
        raise ValueError(message)
    await reader.readexactly(int(length))
    return int(head.split(maxsplit=2)[1])


def _quantile(spans: list[float], share: float) -> float | None:
    return spans[min(len(spans) - 1, int(len(spans) * share))] if spans else None


def plan_of(arguments: list[str]) -> Plan:
    """The plan that the command line tells of."""
    parser = argparse.ArgumentParser(prog="bench.load")
    parser.add_argument("url")
    parser.add_argument("--alerts", type=int, default=1)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--requests", type=int, default=0, help="0: as many as fit the time")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--first", type=int, default=0, help="number of the first request")
    parser.add_argument("--rate", type=float, default=0, help="requests a second; 0: no pause")
    parser.add_argument("--apart", type=int, default=0, help="1: each about a service of its own")
    parser.add_argument("--token-file", type=Path)
    given = parser.parse_args(arguments)
    url = urlsplit(str(given.url))
    if url.scheme != "http" or url.hostname not in _LOOPBACK or not url.port:
        parser.error(f"only http on loopback with a port, not {given.url!r}")
    return Plan(
        url=url,
        body=bodies(given.alerts, apart=bool(given.apart)),
        connections=given.connections,
        requests=given.requests,
        seconds=min(given.seconds, 60),
        first=given.first,
        rate=given.rate,
        token=given.token_file.read_text().strip() if given.token_file else "",
    )


if __name__ == "__main__":
    result = asyncio.run(send(plan_of(sys.argv[1:])))
    sys.stdout.write(json.dumps(result) + "\n")
