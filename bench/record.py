"""`SqliteTimeline.append` alone, without HTTP: appends per second, latency, CPU per append."""

import asyncio
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from bench.report import columns
from healer.model.alert import Alert, AlertStatus, Fingerprint, GroupKey
from healer.model.event import AlertsReceived, Draft, IncidentId
from healer.timeline.sqlite import SqliteTimeline

_AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
_HEADS = ("append", "alerts", "writers", "appends/s", "alerts/s", "p50 ms", "p99 ms", "µs CPU")


def delivery(alerts: int, writer: int) -> AlertsReceived:
    """A delivery of distinct alerts, of a usual size."""
    return AlertsReceived(
        alerts=tuple(_alert(writer * 1000 + number) for number in range(alerts)),
        group=GroupKey('{}:{alertname="TimeToFirstTokenHigh"}'),
    )


def _alert(number: int) -> Alert:
    return Alert(
        fingerprint=Fingerprint(f"{number:016x}"),
        status=AlertStatus.FIRING,
        labels={
            "alertname": "TimeToFirstTokenHigh",
            "severity": "P1",
            "namespace": "production",
            "service": "chat",
            "cluster": "eu-1",
            "job": "inference",
            "pod": f"chat-{number}",
        },
        annotations={"summary": "The time to the first token is too high"},
        starts_at=_AT,
        generator_url="http://prometheus:9090/graph?g0.expr=ttft",
    )


async def record(alerts: int, writers: int, *, seconds: float, folder: Path) -> tuple[str, ...]:
    """Each writer appends to an incident of its own, one line after the other."""
    spans: list[float] = []

    async def write(timeline: SqliteTimeline, writer: int, until: float) -> None:
        event = delivery(alerts, writer)
        after = 0
        while (begin := time.perf_counter()) < until:
            incident = IncidentId(f"writer-{writer}")
            await timeline.append([Draft(incident=incident, after=after, at=_AT, event=event)])
            spans.append(time.perf_counter() - begin)
            after += 1

    with tempfile.TemporaryDirectory(dir=folder) as place:
        timeline = await SqliteTimeline.open(Path(place) / "timeline.db")
        begin, cpu = time.perf_counter(), time.process_time()
        async with asyncio.TaskGroup() as group:
            for writer in range(writers):
                group.create_task(write(timeline, writer, begin + seconds))
        wall, cpu = time.perf_counter() - begin, time.process_time() - cpu
        await timeline.close()
    spans.sort()
    return (
        "SqliteTimeline",
        str(alerts),
        str(writers),
        f"{len(spans) / wall:.0f}",
        f"{len(spans) * alerts / wall:.0f}",
        f"{spans[len(spans) // 2] * 1e3:.2f}",
        f"{spans[int(len(spans) * 0.99)] * 1e3:.2f}",
        f"{cpu / len(spans) * 1e6:.0f}",
    )


async def table(*, seconds: float, folder: Path) -> str:
    """The usual loads."""
    loads = ((1, 1), (1, 64), (50, 64))
    rows = [await record(*load, seconds=seconds, folder=folder) for load in loads]
    return columns([_HEADS, *rows])
