"""Alerts that are in the wild but not ours start nothing, and leave nothing behind."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from healer.cli.main import main
from healer.intake.payload import parse
from tests.fakes.channel import FakeChannel
from tests.fakes.house import House
from tests.fakes.strangers import CONFIG, PLAYBOOKS, STRANGERS, payload, shipped
from tests.fakes.watched import watched


@pytest.mark.looptime
@pytest.mark.parametrize("status", ["firing", "resolved"])
async def test_the_usual_alerts_of_a_cluster_match_nothing_and_cost_nothing(status: str) -> None:
    services, playbooks = shipped()
    timeline, channel = watched(), FakeChannel()
    house = House(services=services, playbooks=playbooks, timeline=timeline, notifiers=[channel])
    async with house.life():
        group = parse(payload(*STRANGERS, status=status))
        assert len(group.alerts) == len(STRANGERS) > 90
        receipt = await house.accept([group])
        await asyncio.sleep(3600)
        assert receipt.unmatched == len(STRANGERS)
        assert receipt.opened == receipt.joined == 0
        assert house.incidents == ()
        assert timeline.entries == [], "no line, so no fsync"
        assert channel.told == []


@pytest.mark.looptime
async def test_one_of_ours_among_them_is_not_overlooked() -> None:
    services, playbooks = shipped()
    ours = {"alertname": "HighLatency", "service": "largeforge", "severity": "critical"}
    async with House(services=services, playbooks=playbooks).life() as house:
        receipt = await house.accept([parse(payload(*STRANGERS, ours))])
        assert (receipt.opened, receipt.unmatched) == (1, len(STRANGERS))
        assert house.incident.key is not None
        assert house.incident.key.playbook == "INC-001"


def test_explain_says_of_each_that_it_is_about_no_service_and_why(tmp_path: Path) -> None:
    path = tmp_path / "group.json"
    path.write_bytes(payload(*STRANGERS))
    args = ["--alert", str(path), "--config", str(CONFIG), "--playbooks", str(PLAYBOOKS)]
    result = CliRunner().invoke(main, ["playbook", "explain", *args, "-o", "json"])
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert len(rows) == len(STRANGERS)
    for row in rows:
        assert (row["service"], row["starts"]) == (None, None)
        assert row["services"].keys() == {"llm-inference", "largeforge", "largeforge-router"}
        assert all(row["services"].values())
