"""What every timeline promises, over every adapter."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healer.errors import ConflictError, TimelineError
from healer.model.event import (
    CONTROL,
    Approved,
    Archived,
    Closed,
    Diagnosed,
    Draft,
    Ending,
    Entry,
    Event,
    IncidentId,
    IncidentKey,
    NothingMatched,
    NoticeSent,
    Opened,
    Paused,
)
from healer.model.incident import fold
from healer.model.outcome import Evidence, Finding
from healer.model.service import Target
from healer.timeline.contract import Timeline
from tests.contract.conftest import opened_timeline

START = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
CLOSED = Closed(ending=Ending.HEALED, reason="it holds")


def name(text: str) -> IncidentId:
    return IncidentId(text)


def key(service: str = "chat") -> IncidentKey:
    target = Target(namespace="prod", kind="deployment", name=service)
    return IncidentKey(service=service, playbook="restart", target=target)


def opened(service: str = "chat") -> Opened:
    return Opened(key=key(service), severity="P1")


def draft(incident: str, after: int, event: Event, *, minute: int = 0) -> Draft:
    at = START + timedelta(minutes=minute)
    return Draft(incident=name(incident), after=after, at=at, event=event)


def said(text: str) -> NothingMatched:
    return NothingMatched(reason=text)


async def lines(timeline: Timeline, incident: str) -> list[tuple[int, Event]]:
    return [(entry.seq, entry.event) for entry in await timeline.read(name(incident))]


async def test_an_append_returns_the_lines_as_they_are_read_afterwards(timeline: Timeline) -> None:
    written = await timeline.append([draft("a", 0, opened()), draft("a", 1, said("x"))])
    assert [(entry.incident, entry.seq, entry.at) for entry in written] == [
        ("a", 1, START),
        ("a", 2, START),
    ]
    read = await timeline.read(name("a"))
    assert list(read) == list(written)
    assert [entry.position for entry in read] == [entry.position for entry in written]


async def test_nothing_is_appended_by_an_empty_call(timeline: Timeline) -> None:
    assert list(await timeline.append([])) == []
    assert list(await timeline.follow(after=0)) == []


async def test_an_unknown_incident_has_no_entries(timeline: Timeline) -> None:
    assert list(await timeline.read(name("nobody"))) == []


async def test_reading_goes_on_after_a_number(timeline: Timeline) -> None:
    await timeline.append([draft("a", after, said(str(after))) for after in range(4)])
    assert [entry.seq for entry in await timeline.read(name("a"), after=2)] == [3, 4]
    assert list(await timeline.read(name("a"), after=4)) == []


@pytest.mark.parametrize("after", [0, 2, 7, -1])
async def test_a_stale_or_hasty_writer_gets_a_conflict(timeline: Timeline, after: int) -> None:
    await timeline.append([draft("a", 0, said("first"))])
    with pytest.raises(ConflictError, match=r"incident a.*number 1"):
        await timeline.append([draft("a", after, said("second"))])
    assert await lines(timeline, "a") == [(1, said("first"))]


async def test_one_bad_draft_keeps_all_the_others_of_its_call_out(timeline: Timeline) -> None:
    await timeline.append([draft("a", 0, said("first"))])
    with pytest.raises(ConflictError):
        await timeline.append(
            [
                draft("b", 0, opened()),
                draft("a", 1, said("second")),
                draft("c", 5, said("out of turn")),
            ]
        )
    assert await lines(timeline, "a") == [(1, said("first"))]
    assert await lines(timeline, "b") == []
    assert await timeline.find_open(key()) is None
    assert len(await timeline.append([draft("b", 0, opened()), draft("a", 1, said("again"))])) == 2


async def test_two_open_incidents_never_have_one_key(timeline: Timeline) -> None:
    await timeline.append([draft("a", 0, opened())])
    with pytest.raises(ConflictError, match="a is open with the same key"):
        await timeline.append([draft("b", 0, opened())])
    with pytest.raises(ConflictError):
        await timeline.append([draft("c", 0, opened("x")), draft("d", 0, opened("x"))])
    assert await timeline.find_open(key()) == "a"
    assert await timeline.find_open(key("x")) is None


async def test_keys_are_told_apart_even_where_their_texts_are_not(timeline: Timeline) -> None:
    target = Target(namespace="n", kind="k", name="x")
    one = IncidentKey(service="a|b", playbook="c", target=target)
    two = IncidentKey(service="a", playbook="b|c", target=target)
    assert str(one) == str(two)
    await timeline.append([draft("a", 0, Opened(key=one, severity=""))])
    await timeline.append([draft("b", 0, Opened(key=two, severity=""))])
    assert await timeline.find_open(one) == "a"
    assert await timeline.find_open(two) == "b"


async def test_a_closed_incident_frees_its_key(timeline: Timeline) -> None:
    await timeline.append([draft("a", 0, opened())])
    await timeline.append([draft("a", 1, CLOSED)])
    assert await timeline.find_open(key()) is None
    await timeline.append([draft("b", 0, opened())])
    assert await timeline.find_open(key()) == "b"


async def test_a_key_can_change_hands_within_one_call(timeline: Timeline) -> None:
    await timeline.append([draft("a", 0, opened())])
    await timeline.append([draft("a", 1, CLOSED), draft("b", 0, opened())])
    assert await timeline.find_open(key()) == "b"
    await timeline.append([draft("c", 0, opened("x")), draft("c", 1, CLOSED)])
    assert await timeline.find_open(key("x")) is None


async def test_opened_is_the_first_line_or_none(timeline: Timeline) -> None:
    await timeline.append([draft("a", 0, said("first"))])
    with pytest.raises(TimelineError, match="line 1"):
        await timeline.append([draft("a", 1, opened())])


async def test_a_time_without_a_zone_is_refused(timeline: Timeline) -> None:
    naive = Draft(incident=name("a"), after=0, at=START.replace(tzinfo=None), event=said("x"))
    with pytest.raises(TimelineError, match="time zone"):
        await timeline.append([naive])
    assert await lines(timeline, "a") == []


async def test_an_incident_is_unfinished_until_it_is_archived(timeline: Timeline) -> None:
    await timeline.append([draft("b", 0, opened("b"))])
    await timeline.append([draft("a", 0, opened("a"))])
    await timeline.append([draft("b", 1, CLOSED)])
    assert list(await timeline.unfinished()) == ["b", "a"]
    await timeline.append([draft("b", 2, Archived())])
    assert list(await timeline.unfinished()) == ["a"]


async def test_the_daemons_own_timeline_is_no_incident(timeline: Timeline) -> None:
    await timeline.append([draft(CONTROL, 0, Paused(by="ann", reason="drill"))])
    assert list(await timeline.unfinished()) == []
    assert list(await timeline.latest(limit=9)) == []
    assert list(await timeline.changed_since(START)) == [CONTROL]


async def test_the_latest_incidents_come_newest_first_in_pages(timeline: Timeline) -> None:
    for number in range(5):
        await timeline.append([draft(str(number), 0, opened(str(number)))])
    await timeline.append([draft("0", 1, said("late news do not make it newer"))])
    first = await timeline.latest(limit=2)
    assert [entry.incident for entry in first] == ["4", "3"]
    assert all(isinstance(entry.event, Opened) for entry in first)
    second = await timeline.latest(limit=9, before=first[-1].position)
    assert [entry.incident for entry in second] == ["2", "1", "0"]
    assert list(await timeline.latest(limit=9, before=second[-1].position)) == []
    assert list(await timeline.latest(limit=0)) == []


async def test_incidents_changed_since_a_moment_come_oldest_first(timeline: Timeline) -> None:
    await timeline.append([draft("old", 0, opened("old"), minute=0)])
    await timeline.append([draft("mid", 0, opened("mid"), minute=1)])
    await timeline.append([draft("new", 0, opened("new"), minute=2)])
    await timeline.append([draft("old", 1, said("news"), minute=3)])
    since = START + timedelta(minutes=2)
    assert list(await timeline.changed_since(since)) == ["old", "new"]
    assert list(await timeline.changed_since(since + timedelta(microseconds=1))) == ["old"]
    assert list(await timeline.changed_since(START + timedelta(hours=1))) == []


async def test_a_follower_sees_every_line_once_in_order(timeline: Timeline) -> None:
    for number in range(3):
        await timeline.append([draft("a", number, said("x")), draft("b", number, said("y"))])
    seen: list[Entry] = []
    while page := await timeline.follow(after=seen[-1].position if seen else 0, limit=4):
        seen.extend(page)
    assert [(entry.incident, entry.seq) for entry in seen] == [
        (incident, seq) for seq in (1, 2, 3) for incident in ("a", "b")
    ]
    positions = [entry.position for entry in seen]
    assert positions == sorted(set(positions))


async def test_what_was_appended_is_there_for_every_reader_at_once(timeline: Timeline) -> None:
    for number in range(20):
        await timeline.append([draft("a", number, said("x"))])
        assert len(await timeline.read(name("a"))) == number + 1
        assert len(await timeline.follow(after=0)) == number + 1


async def test_of_many_writers_at_one_number_exactly_one_wins(timeline: Timeline) -> None:
    async def attempt(text: str) -> bool:
        try:
            await timeline.append([draft("a", 0, said(text))])
        except ConflictError:
            return False
        return True

    async with asyncio.TaskGroup() as group:
        tasks = {str(number): group.create_task(attempt(str(number))) for number in range(50)}
    winners = [text for text, task in tasks.items() if task.result()]
    assert len(winners) == 1
    assert await lines(timeline, "a") == [(1, said(winners[0]))]


async def test_many_writers_of_many_incidents_do_not_hinder_each_other(timeline: Timeline) -> None:
    async def write(incident: str) -> None:
        await timeline.append([draft(incident, 0, opened(incident))])
        for after in range(1, 10):
            await timeline.append([draft(incident, after, Approved(by=str(after)))])

    async with asyncio.TaskGroup() as group:
        for number in range(40):
            group.create_task(write(str(number)))
    for number in range(40):
        assert [seq for seq, _ in await lines(timeline, str(number))] == list(range(1, 11))
    everything = await timeline.follow(after=0)
    assert len(everything) == 400
    positions = [entry.position for entry in everything]
    assert positions == sorted(set(positions))


async def test_a_timeline_can_be_closed_twice(timeline: Timeline) -> None:
    await timeline.append([draft("a", 0, opened())])
    await timeline.close()
    await timeline.close()


@pytest.mark.parametrize("text", ["", "a\0b", "\ud800", "line\nbreak"])
async def test_a_name_that_cannot_be_printed_is_refused(timeline: Timeline, text: str) -> None:
    with pytest.raises(TimelineError, match="printable"):
        await timeline.append([draft(text, 0, opened())])
    assert list(await timeline.read(name(text))) == []


async def test_an_event_that_cannot_be_recorded_keeps_its_call_out(timeline: Timeline) -> None:
    evidence = cast("Evidence", {"x": object()})
    finding = Finding(check="c", holds=True, summary="", evidence=evidence)
    with pytest.raises(TimelineError, match="Diagnosed cannot be recorded: object is no JSON"):
        await timeline.append(
            [draft("a", 0, opened()), draft("a", 1, Diagnosed(findings=(finding,)))]
        )
    assert await lines(timeline, "a") == []
    assert await timeline.find_open(key()) is None


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "é|\"'; DROP TABLE entry; --"])
async def test_a_key_may_hold_any_text(timeline: Timeline, text: str) -> None:
    await timeline.append([draft("a", 0, opened(text))])
    assert await timeline.find_open(key(text)) == "a"
    assert await timeline.find_open(key(text + "x")) is None


async def test_moments_are_kept_to_the_microsecond_whatever_their_zone(timeline: Timeline) -> None:
    moments = [
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
        START.astimezone(timezone(timedelta(hours=-9, minutes=-30))),
    ]
    drafts = [
        Draft(incident=name("a"), after=after, at=at, event=said("x"))
        for after, at in enumerate(moments)
    ]
    await timeline.append(drafts)
    assert [entry.at for entry in await timeline.read(name("a"))] == moments


async def test_numbers_out_of_all_bounds_are_no_harm(timeline: Timeline) -> None:
    await timeline.append([draft("a", 0, opened())])
    huge = 10**30
    assert list(await timeline.read(name("a"), after=huge)) == []
    assert len(await timeline.read(name("a"), after=-huge)) == 1
    assert list(await timeline.follow(after=huge)) == []
    assert list(await timeline.follow(after=0, limit=-1)) == []
    assert len(await timeline.follow(after=-1, limit=huge)) == 1
    assert len(await timeline.latest(limit=huge, before=huge)) == 1
    assert list(await timeline.latest(limit=-1)) == []


class Turn(NamedTuple):
    """What one writer does next: to which incident, and how many lines at once."""

    incident: str
    lines: int


@settings(max_examples=25, deadline=None)
@given(
    plans=st.lists(
        st.lists(st.builds(Turn, st.sampled_from("abc"), st.integers(1, 3)), max_size=6),
        min_size=1,
        max_size=5,
    )
)
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_concurrent_writers_leave_no_gaps_and_the_fold_of_a_plain_list(
    kind: str, plans: list[list[Turn]]
) -> None:
    written: list[Entry] = []

    async def write(timeline: Timeline, writer: int, turns: list[Turn]) -> None:
        for number, (incident, count) in enumerate(turns):
            while True:
                head = len(await timeline.read(name(incident)))
                event = NoticeSent(channel=f"{writer}", through=number, ref=f"{writer}.{number}")
                drafts = [
                    draft(incident, head + more, event if head + more else opened(incident))
                    for more in range(count)
                ]
                with suppress(ConflictError):
                    written.extend(await timeline.append(drafts))
                    break

    with TemporaryDirectory() as folder:
        timeline = await opened_timeline(kind, Path(folder))
        async with asyncio.TaskGroup() as group:
            for writer, turns in enumerate(plans):
                group.create_task(write(timeline, writer, turns))
        for incident in map(name, "abc"):
            read = await timeline.read(incident)
            mine = sorted((e for e in written if e.incident == incident), key=lambda e: e.seq)
            assert [entry.seq for entry in read] == list(range(1, len(mine) + 1))
            assert fold(incident, read) == fold(incident, mine)
        assert len(written) == sum(turn.lines for turns in plans for turn in turns)
        assert len(await timeline.follow(after=0)) == len(written)
        await timeline.close()
