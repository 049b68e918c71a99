"""The measuring itself: bodies that differ, answers that are counted, a table that adds up."""

import asyncio
import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from bench.load import plan_of, send
from bench.measure import Figure, Shape
from bench.payload import bodies
from bench.report import table
from bench.target import floor, usage


def figure(target: str, rate: float) -> Figure:
    return Figure(
        target=target,
        shape=Shape(alerts=50, connections=64),
        requests=1000,
        refused=0,
        rate=rate,
        p50=0.001,
        p99=0.002,
        seconds=2.0,
        cpu=1.0,
        load=0.5,
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
    lines = table([figure("floor", 200.0), figure("healer", 50.0)]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[2].split()[:6] == ["healer", "50", "64", "50", "2500", "0.25"]
