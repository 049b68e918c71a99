"""`healer pause`, `resume`, `status` against a listening edge."""

import json
from collections.abc import AsyncGenerator

import pytest

from healer.model.event import Paused
from tests.fakes.edge import Served, served
from tests.fakes.terminal import healer


@pytest.fixture
async def edge() -> AsyncGenerator[Served]:
    async with served() as made:
        yield made


async def test_a_pause_is_kept_with_its_reason_until_it_is_resumed(edge: Served) -> None:
    result = await healer(edge.port, "pause", "--reason", "maintenance")
    assert (result.exit_code, result.stdout) == (0, "all remediation paused by ada\n")
    assert edge.desk.pauses() == (Paused(by="ada", reason="maintenance"),)
    result = await healer(edge.port, "resume")
    assert (result.exit_code, result.stdout) == (0, "all remediation resumed by ada\n")
    assert edge.desk.pauses() == ()


async def test_a_pause_of_one_service_leaves_the_others(edge: Served) -> None:
    result = await healer(edge.port, "pause", "--service", "llm", "--reason", "rollout")
    assert result.stdout == "service llm paused by ada\n"
    result = await healer(edge.port, "resume")
    assert result.exit_code == 1
    assert "nothing is paused" in result.stderr
    result = await healer(edge.port, "resume", "--service", "llm", "-o", "json")
    assert json.loads(result.stdout) == {"done": "resumed", "service": "llm", "by": "ada"}


async def test_status_shows_pauses_and_what_is_not_over(edge: Served) -> None:
    closed, _ = await edge.desk.asking("INC-1"), await edge.desk.asking("INC-2")
    await edge.desk.cancel(closed, by="ada", reason="mine")
    await edge.desk.pause(by="bob", reason="maintenance")
    result = await healer(edge.port, "status")
    assert result.exit_code == 0
    assert result.stdout.startswith("ready\nPAUSED (everything) by bob: maintenance\n")
    assert "INC-2" in result.stdout
    assert "INC-1" not in result.stdout


async def test_status_of_one_that_is_not_ready_exits_1_and_says_why(edge: Served) -> None:
    edge.desk.unready = "the timeline cannot be written"
    result = await healer(edge.port, "status")
    assert result.exit_code == 1
    assert result.stdout.startswith("NOT READY: the timeline cannot be written\nnot paused\n")
    result = await healer(edge.port, "status", "-o", "json")
    assert (result.exit_code, json.loads(result.stdout)["ready"]) == (1, False)
