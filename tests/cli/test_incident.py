"""`healer incident` against a listening edge: what is printed, and how it ends."""

import asyncio
import json
from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest
import yaml

from healer.cli.timeline import TimelinePrinter
from healer.model.alert import Alert, AlertStatus, Fingerprint, GroupKey
from healer.model.event import (
    AlertsReceived,
    Approved,
    Chosen,
    Closed,
    Denied,
    Diagnosed,
    Ending,
    Event,
    IncidentId,
    Moment,
    NothingMatched,
    StepFinished,
    StepStarted,
    Verified,
)
from healer.model.outcome import Finding, Outcome, Result
from healer.model.playbook import StepId
from tests.fakes.desk import START
from tests.fakes.edge import Served, served
from tests.fakes.terminal import healer

NASTY = "\x1b[31mred\x1b[0m | <b>\n# head"


@pytest.fixture
async def edge() -> AsyncGenerator[Served]:
    async with served() as made:
        yield made


def healing() -> list[Event]:
    """What happens after a person approved."""
    alert = Alert(
        fingerprint=Fingerprint("f1"),
        status=AlertStatus.FIRING,
        labels={"alertname": "QueueLong", "pod": NASTY},
        starts_at=START - timedelta(minutes=1),
    )
    step = StepId("scale")
    return [
        AlertsReceived(alerts=(alert,), group=GroupKey("{}")),
        Diagnosed(
            findings=(
                Finding(check="queue", holds=True, summary="140 wait"),
                Finding(check="ssd", holds=False, summary="no answer", known=False),
            )
        ),
        Chosen(remedy="more replicas", because="the queue is long"),
        Approved(by="ada"),
        StepStarted(step=step, action="kubernetes.scale", attempt=1, params={"to": 5}),
        StepFinished(
            step=step, attempt=1, outcome=Outcome(result=Result.FAILED, summary="409 conflict")
        ),
        StepStarted(step=step, action="kubernetes.scale", attempt=2, params={"to": 5}),
        StepFinished(
            step=step, attempt=2, outcome=Outcome(result=Result.SUCCEEDED, summary="2 to 5")
        ),
        Verified(moment=Moment.AFTER, healed=True, reason="the queue is short"),
        Closed(ending=Ending.HEALED, reason="watched for 5m"),
    ]


async def healed(edge: Served) -> IncidentId:
    incident = await edge.desk.asking()
    for event in healing():
        await edge.desk.add(incident, event)
    return incident


async def test_a_list_is_a_line_an_incident_newest_first(edge: Served) -> None:
    await edge.desk.asking("INC-1")
    await edge.desk.open("INC-2", service="chat")
    result = await healer(edge.port, "incident", "list")
    head, first, second = result.stdout.splitlines()
    assert head.split()[:3] == ["ID", "STATE", "SEVERITY"]
    assert first.split()[:2] == ["INC-2", "open"]
    assert second.split()[:2] == ["INC-1", "asking"]
    assert first.index("chat") == second.index("llm") == head.index("SERVICE")
    assert (result.exit_code, result.stderr) == (0, "")


async def test_a_list_can_be_chosen_and_read_by_programs(edge: Served) -> None:
    await edge.desk.asking("INC-1")
    await edge.desk.open("INC-2", service="chat")
    result = await healer(edge.port, "incident", "list", "--state", "asking", "-o", "json")
    assert [one["id"] for one in json.loads(result.stdout)["incidents"]] == ["INC-1"]
    result = await healer(edge.port, "incident", "list", "--service", "chat", "-o", "yaml")
    assert [one["id"] for one in yaml.safe_load(result.stdout)["incidents"]] == ["INC-2"]


async def test_a_long_list_is_fetched_page_by_page_and_a_cut_is_said_on_stderr(
    edge: Served,
) -> None:
    for number in range(205):
        await edge.desk.open(f"INC-{number}")
    result = await healer(edge.port, "incident", "list", "--limit", "1000")
    assert len(result.stdout.splitlines()) == 206
    assert result.stderr == ""
    result = await healer(edge.port, "incident", "list", "--limit", "3")
    assert len(result.stdout.splitlines()) == 4
    assert "more than 3" in result.stderr


async def test_an_empty_list_says_so(edge: Served) -> None:
    result = await healer(edge.port, "incident", "list")
    assert (result.exit_code, result.stdout) == (0, "no incidents\n")


async def test_show_prints_an_aligned_line_an_entry(edge: Served) -> None:
    await healed(edge)
    result = await healer(edge.port, "incident", "show", "INC-1")
    about, _, timeline = result.stdout.partition("\n\n")
    assert "Target    production/deployment/llm" in about
    head, day, *lines = timeline.splitlines()
    assert day == "2026-01-02 UTC"
    assert len(lines) == 12
    assert lines[0].split() == ["03:04:06", "+0s", "Opened", "it", "was", "Opened,", "in", "full"]
    assert lines[11].split()[:3] == ["03:04:17", "+11s", "Closed"]
    assert {line.index("it was") for line in lines} == {head.index("WHAT")}


async def test_show_gives_programs_all_of_it(edge: Served) -> None:
    await healed(edge)
    result = await healer(edge.port, "incident", "show", "INC-1", "-o", "json")
    shown = json.loads(result.stdout)
    assert shown["ending"] == "healed"
    assert [one["seq"] for one in shown["timeline"]] == list(range(1, 13))


@pytest.mark.parametrize("output", ["table", "json"])
async def test_show_follows_until_the_incident_is_closed(edge: Served, output: str) -> None:
    incident = await edge.desk.asking()
    following = asyncio.ensure_future(
        healer(edge.port, "incident", "show", incident, "--follow", "-o", output)
    )
    await edge.desk.add(incident, Approved(by="ada"))
    await edge.desk.cancel(incident, by="ada", reason="mine")
    async with asyncio.timeout(20):
        result = await following
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    if output == "json":
        assert [json.loads(line)["seq"] for line in lines] == [1, 2, 3, 4]
    else:
        assert [line.split()[2] for line in lines[-4:]] == [
            *("Opened", "Judged", "Approved", "Closed")
        ]


async def test_decisions_are_made_and_said(edge: Served) -> None:
    await edge.desk.asking("INC-1")
    await edge.desk.asking("INC-2")
    result = await healer(edge.port, "incident", "approve", "INC-1")
    assert (result.exit_code, result.stdout) == (0, "INC-1 approved by ada\n")
    result = await healer(edge.port, "incident", "deny", "INC-2", "--reason", "no", "-o", "json")
    assert json.loads(result.stdout) == {"done": "denied", "incident": "INC-2", "by": "ada"}
    assert edge.desk.timelines[IncidentId("INC-2")][-1].event == Denied(by="ada", reason="no")
    result = await healer(edge.port, "incident", "cancel", "INC-1", "--reason", "mine")
    assert result.stdout == "INC-1 cancelled by ada\n"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("incident", "show", "INC-404"), "no incident 'INC-404'"),
        (("incident", "report", "a/../b"), "no incident 'a/../b'"),
        (("incident", "approve", "INC-404"), "no incident"),
        (("incident", "approve", "INC-1"), "does not ask"),
    ],
)
async def test_what_is_not_done_exits_1_with_the_reason_on_stderr(
    edge: Served, args: tuple[str, ...], words: str
) -> None:
    await edge.desk.open()
    result = await healer(edge.port, *args)
    assert (result.exit_code, result.stdout) == (1, "")
    assert words in result.stderr


@pytest.mark.parametrize(
    "args",
    [
        ("incident", "deny", "INC-1"),
        ("incident", "cancel", "INC-1"),
        ("incident", "list", "-o", "xml"),
        ("incident", "list", "--state", "dead"),
        ("incident", "list", "--limit", "0"),
        ("incident", "show"),
        ("pause",),
        ("status", "--server", "ftp://x"),
        ("status", "--server", "http://x:port"),
        ("status", "--token", "with\nnewline"),
    ],
)
async def test_wrong_usage_exits_2(edge: Served, args: tuple[str, ...]) -> None:
    assert (await healer(edge.port, *args)).exit_code == 2


async def test_a_wrong_token_is_said_and_never_shown(edge: Served) -> None:
    result = await healer(edge.port, "incident", "list", token="wr0ng")
    assert result.exit_code == 1
    assert "HEALER_TOKEN" in result.stderr
    assert "wr0ng" not in result.output


async def test_a_daemon_that_is_not_there_is_said(unused_tcp_port: int) -> None:
    result = await healer(unused_tcp_port, "incident", "list")
    assert result.exit_code == 1
    assert f"cannot reach http://127.0.0.1:{unused_tcp_port}" in result.stderr


async def test_a_report_tells_all_that_matters_in_markdown(edge: Served) -> None:
    await healed(edge)
    result = await healer(edge.port, "incident", "report", "INC-1")
    report = result.stdout
    assert report.startswith("# Postmortem: INC-1 is closed\n")
    for part in [
        "| First alert since | 2026-01-02 03:03:05 UTC |",
        "| First action | 2026-01-02 03:04:12 UTC (+1m7s) |",
        "| Verified healed | 2026-01-02 03:04:16 UTC (+1m11s) |",
        "| Ending | healed |",
        "- **QueueLong** since 2026-01-02 03:03:05 UTC (firing)",
        "- queue: **yes** – 140 wait",
        "- ssd: **unknown** – no answer",
        "- mode said **ask**: the playbook asks first",
        "- Remedy: more replicas – the queue is long",
        "- `kubernetes.scale` (attempt 1): **failed** in 1s – 409 conflict",
        "- `kubernetes.scale` (attempt 2): **succeeded** in 1s – 2 to 5",
        "- after: **healed** – the queue is short",
    ]:
        assert part in report


async def test_what_an_alert_says_steers_neither_terminal_nor_markdown(edge: Served) -> None:
    incident = await healed(edge)
    await edge.desk.add(incident, NothingMatched(reason=NASTY))
    for verb in ("show", "report"):
        assert "\x1b" not in (await healer(edge.port, "incident", verb, incident)).stdout
    report = (await healer(edge.port, "incident", "report", incident)).stdout
    assert "<b>" not in report.replace("\\<b\\>", "")
    assert "\n# head" not in report


async def test_a_step_without_an_end_is_reported_as_such(edge: Served) -> None:
    incident = await edge.desk.asking()
    for event in healing()[:5]:
        await edge.desk.add(incident, event)
    report = (await healer(edge.port, "incident", "report", incident)).stdout
    assert "(attempt 1): **no end is recorded**" in report
    assert "| Ending | not over |" in report


def test_long_words_are_wrapped_under_themselves_only_for_people() -> None:
    entry = {"at": "2026-01-02T03:04:05Z", "detail": "long " * 30, "event": {"type": "Opened"}}
    _, first, *rest = TimelinePrinter(width=80).line(entry).splitlines()
    assert rest
    assert all(len(line) <= 80 for line in (first, *rest))
    assert all(line.index("long") == first.index("long") for line in rest)
    assert len(TimelinePrinter(width=None).line(entry).splitlines()) == 2


def test_a_new_day_is_said() -> None:
    printer = TimelinePrinter(width=None)
    lines = [
        printer.line({"at": at, "detail": "", "event": {"type": "AlarmRang"}})
        for at in ("2026-01-02T23:59:59.9Z", "2026-01-03T00:00:01Z")
    ]
    assert lines[0].splitlines()[0] == "2026-01-02 UTC"
    assert lines[1].splitlines()[0] == "2026-01-03 UTC"
    assert lines[1].split()[3] == "+1s"
