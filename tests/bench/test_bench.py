"""The measuring itself: bodies that differ, answers that are counted, a table that adds up."""

import asyncio
import json
import sqlite3
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from bench.load import plan_of, send
from bench.measure import Figure, Shape
from bench.payload import bodies, service
from bench.report import details, summary
from bench.step import Traffic, Walk, first_steps
from bench.target import floor, usage
from healer.model.event import Draft, Event, IncidentId, IncidentKey, Opened, StepStarted
from healer.model.playbook import StepId
from healer.model.service import Target
from healer.timeline.sqlite import SqliteTimeline


def figure(target: str, rate: float, alerts: int = 50) -> Figure:
    return Figure(
        target=target,
        shape=Shape(alerts=alerts, connections=64),
        requests=1000,
        refused=0,
        rate=rate,
        p50=0.001,
        p99=0.002,
        seconds=2.0,
        cpu=1.0,
        load=0.5,
        idle=10**6,
        peak=10**6,
    )


@pytest.mark.parametrize("alerts", [1, 50])
def test_no_alert_is_sent_twice(alerts: int) -> None:
    body = bodies(alerts)
    sent = [json.loads(body(number)) for number in (0, 1, 2**31)]
    fingerprints = [alert["fingerprint"] for one in sent for alert in one["alerts"]]
    assert len(set(fingerprints)) == len(fingerprints) == 3 * alerts
    assert all(one["version"] == "4" for one in sent)


async def test_every_post_that_the_floor_answers_is_on_disk(tmp_path: Path) -> None:
    async with floor(tmp_path) as running:
        plan = plan_of([running.url, "--requests=40", "--connections=4", "--alerts=2"])
        said = await send(plan)
        assert usage(running.pid).peak > 10**6
    assert said["statuses"] == {"200": 40}
    with closing(sqlite3.connect(tmp_path / "floor.db")) as database:
        recorded = {body for (body,) in database.execute("SELECT body FROM post")}
    assert recorded == {bodies(2)(number) for number in range(40)}


async def test_the_generator_answers_in_json(tmp_path: Path) -> None:
    async with floor(tmp_path) as running:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "bench.load", running.url + "nowhere", "--requests=3", "--connections=1"),
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        said, _ = await process.communicate()
    assert json.loads(said)["statuses"] == {"404": 3}
    assert json.loads(said)["rate"] == 0


@pytest.mark.parametrize("url", ["http://192.0.2.1:80/", "https://127.0.0.1:1/", "http://[::1]/"])
def test_nothing_but_loopback_is_ever_pressed(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        plan_of([url])
    assert "loopback" in capsys.readouterr().err


def test_ratios_are_to_the_first_target() -> None:
    lines = details([figure("floor", 200.0), figure("healer", 50.0)]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[2].split()[:6] == ["healer", "50", "64", "50", "2500", "0.25"]


def met(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if name in line).split()[-1]


def test_the_summary_says_what_was_met_and_what_was_not() -> None:
    steady = Traffic(name="5 a second", alerts=2, connections=1, rate=5)
    burst = Traffic(name="2 at once", alerts=2, connections=1)
    walks = [
        Walk(traffic=steady, spans=(0.010, 0.030), lost=0, floor=(0.001, 0.002)),
        Walk(traffic=burst, spans=(0.010,), lost=1, floor=(0.001, 0.002)),
    ]
    pairs = [
        (figure("floor", 4000.0, 1), figure("healer", 2100.0, 1)),
        (figure("floor", 4000.0), figure("healer", 500.0)),
    ]
    text = summary(pairs, walks)
    assert met(text, "recorded, 1 per POST") == "yes"
    assert met(text, "share of the floor, 1 per POST") == "yes"
    assert met(text, "recorded, 50 per POST") == "yes"
    assert met(text, "share of the floor, 50 per POST") == "no"
    assert met(text, "first step, 5 a second") == "no"
    assert met(text, "came to a step, 5 a second") == "yes"
    assert met(text, "first step, 2 at once") == "yes"
    assert met(text, "came to a step, 2 at once") == "no"
    assert met(text, "memory when idle") == "yes"


async def test_requests_are_sent_at_their_rate_each_about_its_own_service(tmp_path: Path) -> None:
    async with floor(tmp_path) as running:
        plan = plan_of([running.url, "--requests=4", "--rate=50", "--apart=1", "--first=7"])
        begun = time.time()
        sent = cast("dict[int, float]", (await send(plan))["sent"])
    assert sorted(sent) == [7, 8, 9, 10]
    assert sent[10] - begun > 0.055
    labels = [json.loads(bodies(1, apart=True)(number))["alerts"][0]["labels"] for number in sent]
    assert sorted(one["service"] for one in labels) == [service(number) for number in sorted(sent)]


async def test_the_first_step_of_each_service_is_read_from_the_timeline(tmp_path: Path) -> None:
    timeline = await SqliteTimeline.open(tmp_path / "timeline.db")
    at = datetime(2026, 1, 1, tzinfo=UTC)
    key = IncidentKey(
        service="chat-1", playbook="", target=Target(namespace="a", kind="b", name="c")
    )
    events: list[Event] = [Opened(key=key, severity=""), step("one"), step("two")]
    drafts = [
        Draft(incident=IncidentId("i"), after=n, at=at + timedelta(seconds=n), event=event)
        for n, event in enumerate(events)
    ]
    await timeline.append(drafts)
    await timeline.close()
    assert await first_steps(tmp_path / "timeline.db") == {"chat-1": at.timestamp() + 1}


def step(name: str) -> StepStarted:
    return StepStarted(step=StepId(name), action="flow.wait", attempt=1, params={})
